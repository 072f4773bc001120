import { describe, expect, it } from 'vitest';
import { isMassLoss, judgeLife } from '../../../src/core/retention/session-life.js';
import type { LifeFacts } from '../../../src/core/retention/session-life.js';

const NOW = Date.UTC(2026, 5, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RETENTION = { closeAfterMs: DAY, deleteAfterMs: 7 * DAY };
const NO_COUNTS = { pending: 0, processing: 0, completed: 0, failed: 0, paused: 0, spooled: 0 };

const IDLE: LifeFacts = {
  status: 'active',
  pinned: false,
  quarantined: false,
  createdAtMs: NOW - 100 * DAY,
  lastActiveMs: NOW - DAY - 1,
  closedAtMs: null,
  container: 'none',
  files: 'read',
  counts: NO_COUNTS,
  liveSeries: 0,
};
const CLOSED: LifeFacts = { ...IDLE, status: 'closed', closedAtMs: NOW - 7 * DAY - 1 };

const judge = (facts: LifeFacts, retention = RETENTION) => {
  const { kind, reason } = judgeLife(facts, retention, NOW);
  return `${kind}: ${reason}`;
};

describe('an active session', () => {
  it.each<[string, Partial<LifeFacts>, string]>([
    ['nothing has happened for longer than the window', {}, 'close: idle'],
    ['exactly at the threshold it survives', { lastActiveMs: NOW - DAY }, 'keep: recent'],
    ['a time in the future counts as now', { lastActiveMs: NOW + DAY }, 'keep: recent'],
    ['its creation does not matter where something happened', { createdAtMs: NOW }, 'close: idle'],
    ['where nothing ever happened its creation counts', { lastActiveMs: null }, 'close: idle'],
    ['made a moment ago', { lastActiveMs: null, createdAtMs: NOW - HOUR }, 'keep: recent'],
    ['a message waits', { counts: { ...NO_COUNTS, pending: 1 } }, 'keep: unfinished'],
    ['a message is worked on', { counts: { ...NO_COUNTS, processing: 1 } }, 'keep: unfinished'],
    ['a message is paused', { counts: { ...NO_COUNTS, paused: 1 } }, 'keep: unfinished'],
    ['a message is in the spool', { counts: { ...NO_COUNTS, spooled: 1 } }, 'keep: unfinished'],
    ['what ended keeps nothing', { counts: { ...NO_COUNTS, completed: 9, failed: 9 } }, 'close: idle'],
    ['a series goes on', { liveSeries: 1 }, 'keep: series'],
    ['a container runs', { container: 'running' }, 'keep: container'],
    ['nobody can tell whether one runs', { container: 'unknown' }, 'keep: runtime_unknown'],
    ['its files cannot be read', { files: 'unreadable' }, 'keep: files_unreadable'],
    ['its files are still to be made', { files: 'unmade' }, 'close: idle'],
    ['its folder is gone, whatever its age', { files: 'gone', lastActiveMs: NOW }, 'close: folder_missing'],
    [
      'its folder is gone, and a message comes',
      { files: 'gone', counts: { ...NO_COUNTS, spooled: 1 } },
      'keep: unfinished',
    ],
    ['its folder is gone under a container', { files: 'gone', container: 'running' }, 'keep: container'],
    ['its folder is gone, the engine is silent', { files: 'gone', container: 'unknown' }, 'keep: runtime_unknown'],
    ['it is quarantined', { quarantined: true }, 'keep: quarantined'],
  ])('L3: %s', (_, facts, verdict) => {
    expect(judge({ ...IDLE, ...facts })).toBe(verdict);
  });

  it('L3: 0 closes none', () => {
    expect(judge({ ...IDLE, lastActiveMs: 0 }, { ...RETENTION, closeAfterMs: 0 })).toBe('keep: recent');
  });
});

describe('a closed session', () => {
  it.each<[string, Partial<LifeFacts>, string]>([
    ['closed for longer than the window', {}, 'delete: closed'],
    ['exactly at the threshold it survives', { closedAtMs: NOW - 7 * DAY }, 'keep: recent'],
    ['closed in the future', { closedAtMs: NOW + DAY }, 'keep: recent'],
    ['of a registry that did not say when', { closedAtMs: null }, 'delete: closed'],
    ['with what was not finished', { counts: { ...NO_COUNTS, pending: 3 }, liveSeries: 1 }, 'delete: closed'],
    ['its container still runs', { container: 'running' }, 'keep: container'],
    ['nobody can tell whether one runs', { container: 'unknown' }, 'keep: runtime_unknown'],
    ['it is quarantined', { quarantined: true }, 'delete: closed'],
  ])('L4: %s', (_, facts, verdict) => {
    expect(judge({ ...CLOSED, ...facts })).toBe(verdict);
  });

  it('L4: 0 deletes none', () => {
    expect(judge({ ...CLOSED, closedAtMs: 0 }, { ...RETENTION, deleteAfterMs: 0 })).toBe('keep: recent');
  });
});

it.each([IDLE, CLOSED, { ...IDLE, files: 'gone' as const }])(
  'L5: pinned or suspended it is kept, whatever its age',
  (facts) => {
    expect(judge({ ...facts, pinned: true })).toBe('keep: pinned');
    expect(judge({ ...facts, status: 'suspended' })).toBe('keep: suspended');
  },
);

it('L8: three folders of four are a disk that is not there, two are not', () => {
  expect(isMassLoss(2, 2)).toBe(false);
  expect(isMassLoss(3, 4)).toBe(true);
  expect(isMassLoss(3, 6)).toBe(false);
});
