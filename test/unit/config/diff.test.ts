import { describe, expect, it } from 'vitest';
import { GROUP_SETTINGS, HOST_SETTINGS } from '../../../src/config.js';
import { diffSettings, untilRestart } from '../../../src/config/diff.js';
import { FACTS } from '../../../src/config/kinds.js';
import { settingsFrom } from './settings.js';

const changes = (before: string, after: string) =>
  diffSettings(settingsFrom({ file: before }), settingsFrom({ file: after }));

const inWords = (before: string, after: string) =>
  changes(before, after).map(({ setting, shownFrom, shownTo }) => `${setting}: ${shownFrom} -> ${shownTo}`);

describe('the difference of two settings', () => {
  it('L24: names what changed, from what to what, and whether that takes a restart', () => {
    expect(changes('MAX_TRIES: 2\nFILE_WORKERS: 2', 'IDLE_TIMEOUT_MS: 90s\nFILE_WORKERS: 4')).toEqual([
      { setting: 'FILE_WORKERS', from: 2, to: 4, shownFrom: '2', shownTo: '4', inEffect: false },
      {
        setting: 'IDLE_TIMEOUT_MS',
        ...{ from: 300_000, to: 90_000, shownFrom: '5 min', shownTo: '90 s' },
        inEffect: true,
      },
      { setting: 'MAX_TRIES', from: 2, to: 5, shownFrom: '2', shownTo: '5', inEffect: true },
    ]);
  });

  it('L24: is nothing where the same is said in other words, or elsewhere', () => {
    expect(changes('IDLE_TIMEOUT_MS: 90s\nMAX_TRIES: 3', 'defaults: { MAX_TRIES: 3, IDLE_TIMEOUT_MS: 90000 }')).toEqual(
      [],
    );
    expect(changes('ENVIRONMENT: { A: 1, B: 2 }', 'ENVIRONMENT: [B=2, A=1]')).toEqual([]);
    expect(changes('', 'groups: { x: { MAX_TRIES: 5 }, y: }')).toEqual([]);
  });

  it("L24: of a group lists what it sets for itself, and what holds for it where it no longer does; of the others' nothing", () => {
    expect(inWords('groups: { x: { MAX_TRIES: 1 } }', 'groups: { x: { MAX_TRIES: 2 }, new: { PIDS: 99 } }')).toEqual([
      'groups.x.MAX_TRIES: 1 -> 2',
      'groups.new.PIDS: 512 -> 99',
    ]);
    expect(inWords('groups: { x: { MAX_TRIES: 1 } }', 'MAX_TRIES: 7')).toEqual([
      'MAX_TRIES: 5 -> 7',
      'groups.x.MAX_TRIES: 1 -> 7',
    ]);
    expect(inWords('MAX_TRIES: 3\ngroups: { x: { PIDS: 99 } }', 'MAX_TRIES: 4\ngroups: { x: { PIDS: 99 } }')).toEqual([
      'MAX_TRIES: 3 -> 4',
    ]);
  });

  it('L24: shows that a secret changed, and not what it is', () => {
    const found = changes(
      'COMMAND: [claude, --key, old]\nENVIRONMENT: { KEY: old }',
      'COMMAND: [claude, --key, new]\nENVIRONMENT: { KEY: new, TZ: }',
    );
    expect(found.map(({ setting, from, to }) => [setting, from, to])).toEqual([
      ['COMMAND', ['claude', '***', '***'], ['claude', '***', '***']],
      ['ENVIRONMENT', { KEY: '***' }, { KEY: '***', TZ: null }],
    ]);
    expect(JSON.stringify(found)).not.toMatch(/old|new/);
  });
});

describe('settings in effect after a reload', () => {
  it('L24: are the new ones but for those that take a restart', () => {
    const before = settingsFrom({ file: 'FILE_WORKERS: 2\nMAX_TRIES: 2' });
    const next = settingsFrom({ file: 'FILE_WORKERS: 4\nMAX_TRIES: 3\ngroups: { x: { PIDS: 99 } }' });
    const after = untilRestart(before, next);
    expect(after).toMatchObject({ fileWorkers: 2, maxTries: 3 });
    expect(after.groups.get('x')?.pids).toBe(99);
    expect(diffSettings(after, next).map(({ setting }) => setting)).toEqual(['FILE_WORKERS']);
  });

  it('L24: take a restart only where something is made once, at the start, and never for a group', () => {
    const late = (shape: Readonly<Record<string, Parameters<typeof FACTS.get>[0]>>) =>
      Object.entries(shape).flatMap(([name, schema]) => (FACTS.get(schema)?.restart === true ? [name] : []));
    expect(late(HOST_SETTINGS.shape)).toEqual([
      ...['FILE_WORKERS', 'FILE_DEADLINE_MS', 'OUTBOUND_MAX_BYTES', 'ATTACHMENT_MAX_BYTES', 'ATTACHMENTS_MAX'],
      ...['RUNTIME', 'RUNNER_BASE_IMAGE', 'HOST_DATA_DIR', 'RUNTIME_DEADLINE_MS', 'ORPHANS'],
      ...['STALE_ACTIVE', 'STALE_ACTIVE_MS'],
    ]);
    expect(late(GROUP_SETTINGS.shape)).toEqual([]);
  });
});
