import { existsSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { memoryFolder } from '../../support/crash-bench.js';
import { isWholeSuite } from '../../support/whole-suite.js';
import { TestPorter, session } from '../../support/porter.js';
import type { SessionAddress } from '../../../src/protocol/address.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A whole suite has 10,000 of them. */
const OF_EACH = isWholeSuite ? 400 : 100;
/** Every so many have a folder with files; of the others nothing was written yet. */
const WITH_FOLDER = 10;
const TEST_MS = 240_000;

type State = 'active' | 'suspended' | 'closed';
type End = 'active' | 'suspended' | 'closed' | 'closed: idle' | 'gone';

interface Kind {
  readonly what: string;
  readonly state: State;
  /** Since its last activity, and since it was closed; null: it never had any. */
  readonly idleMs: number | null;
  readonly madeMs?: number;
  readonly closedMs?: number;
  readonly has?: 'pin' | 'message' | 'series' | 'quarantine' | 'dead_letter';
  readonly end: End;
}

const KINDS: readonly Kind[] = [
  { what: 'just active', state: 'active', idleMs: 0, end: 'active' },
  { what: 'active a moment from now', state: 'active', idleMs: -HOUR, end: 'active' },
  { what: 'active an hour ago', state: 'active', idleMs: HOUR, end: 'active' },
  { what: 'exactly at the threshold', state: 'active', idleMs: DAY, end: 'active' },
  { what: 'just past it', state: 'active', idleMs: DAY + 1, end: 'closed: idle' },
  { what: 'idle for a month', state: 'active', idleMs: 30 * DAY, end: 'closed: idle' },
  { what: 'made now, nothing happened', state: 'active', idleMs: null, madeMs: 0, end: 'active' },
  { what: 'made a day ago, nothing happened', state: 'active', idleMs: null, madeMs: DAY, end: 'active' },
  { what: 'made a week ago, nothing happened', state: 'active', idleMs: null, madeMs: 7 * DAY, end: 'closed: idle' },
  { what: 'made long ago, busy now', state: 'active', idleMs: 0, madeMs: 900 * DAY, end: 'active' },
  { what: 'idle with a message', state: 'active', idleMs: 30 * DAY, has: 'message', end: 'active' },
  { what: 'idle with a series', state: 'active', idleMs: 30 * DAY, has: 'series', end: 'active' },
  { what: 'idle with a dead letter', state: 'active', idleMs: 30 * DAY, has: 'dead_letter', end: 'closed: idle' },
  { what: 'idle and pinned', state: 'active', idleMs: 900 * DAY, has: 'pin', end: 'active' },
  { what: 'idle and quarantined', state: 'active', idleMs: 900 * DAY, has: 'quarantine', end: 'active' },
  { what: 'suspended', state: 'suspended', idleMs: 900 * DAY, end: 'suspended' },
  { what: 'suspended and pinned', state: 'suspended', idleMs: 900 * DAY, has: 'pin', end: 'suspended' },
  { what: 'suspended with a message', state: 'suspended', idleMs: 900 * DAY, has: 'message', end: 'suspended' },
  { what: 'closed now', state: 'closed', idleMs: 0, closedMs: 0, end: 'closed' },
  { what: 'closed in the future', state: 'closed', idleMs: 0, closedMs: -DAY, end: 'closed' },
  { what: 'closed 6 days ago', state: 'closed', idleMs: 900 * DAY, closedMs: 6 * DAY, end: 'closed' },
  { what: 'closed exactly at the threshold', state: 'closed', idleMs: 900 * DAY, closedMs: 7 * DAY, end: 'closed' },
  { what: 'closed just past it', state: 'closed', idleMs: 900 * DAY, closedMs: 7 * DAY + 1, end: 'gone' },
  { what: 'closed with a message', state: 'closed', idleMs: 0, closedMs: 900 * DAY, has: 'message', end: 'gone' },
  { what: 'closed and pinned', state: 'closed', idleMs: 900 * DAY, closedMs: 900 * DAY, has: 'pin', end: 'closed' },
];

let porter: TestPorter | undefined;
afterEach(async () => {
  await porter?.close();
});

const addressOf = (kind: number, index: number): SessionAddress => session(`k${String(kind)}/s${String(index)}`);

async function fill(p: TestPorter): Promise<void> {
  const { registry } = p;
  const nowMs = p.clock.now();
  for (const [kind] of KINDS.entries()) {
    for (let index = 0; index < OF_EACH; index += WITH_FOLDER) await p.files.create(addressOf(kind, index));
  }
  registry.together(() => {
    for (const [kind, { state, idleMs, madeMs, closedMs, has }] of KINDS.entries()) {
      for (let index = 0; index < OF_EACH; index += 1) {
        const address = addressOf(kind, index);
        const createdAtMs = nowMs - (madeMs ?? Math.max(idleMs ?? 0, closedMs ?? 0, 0));
        registry.createSession({ address, createdAtMs, provider: null, image: null, command: null });
        if (has === 'message') p.send(address, 'm1', { trigger: false });
        registry.recordLook(address, {
          counts: { pending: 0, processing: 0, completed: 0, failed: has === 'dead_letter' ? 1 : 0, paused: 0 },
          ...{ nextDueAtMs: null, signature: null, liveSeries: has === 'series' ? 1 : 0 },
          lastActiveMs: idleMs === null ? null : nowMs - idleMs,
        });
        if (has === 'pin') registry.setPinned(address, true);
        if (has === 'quarantine') registry.setQuarantine(address, { file: 'f', detail: 'd', sinceMs: nowMs });
        if (state !== 'active') registry.setStatus(address, state, nowMs - (closedMs ?? 0), 'operator');
      }
    }
  });
}

function ends(p: TestPorter): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [kind, { what }] of KINDS.entries()) {
    for (let index = 0; index < OF_EACH; index += 1) {
      const record = p.registry.findSession(addressOf(kind, index));
      const reason = record?.closeReason === 'idle' ? ': idle' : '';
      const key = `${what} -> ${record === undefined ? 'gone' : record.status + reason}`;
      found[key] = (found[key] ?? 0) + 1;
    }
  }
  return found;
}

it(
  `L3, L4, L5: ${String(OF_EACH * KINDS.length)} sessions of all states and ages end as the table says, and a dry run had listed exactly that`,
  async () => {
    const p = new TestPorter({ files: 'in_process', dataDir: memoryFolder() });
    porter = p;
    await fill(p);
    expect(p.registry.totals().sessions).toMatchObject({
      active: 15 * OF_EACH,
      suspended: 3 * OF_EACH,
      closed: 7 * OF_EACH,
    });
    const before = ends(p);

    const listed = await p.upkeep.collect({ dryRun: true });
    expect(ends(p)).toEqual(before);
    const done = await p.upkeep.collect({ dryRun: false });

    expect(done.actions).toEqual(listed.actions);
    expect(done.actions).toHaveLength(OF_EACH * KINDS.filter(({ end }) => /gone|idle/.test(end)).length);
    expect(ends(p)).toEqual(Object.fromEntries(KINDS.map(({ what, end }) => [`${what} -> ${end}`, OF_EACH])));
    for (const [kind, { end }] of KINDS.entries()) {
      expect(existsSync(p.paths(addressOf(kind, 0)).session)).toBe(end !== 'gone');
    }
    expect((await p.upkeep.collect({ dryRun: false })).actions).toEqual([]);
  },
  TEST_MS,
);
