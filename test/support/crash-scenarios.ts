import type { ContainerSpec } from '../../src/ports/runtime.js';
import { atNine, claims, ends, given, HOUR_MS, known, planted, replay, send, sendAll, worn } from './crash-steps.js';
import type { Stage } from './crash-steps.js';
import type { Parts } from './played-runners.js';
import { session } from './porter.js';
import { sendSeries } from './series.js';
import { utc } from './wall-times.js';

/** Something that a host does, to be cut at every call of its ports or killed at every write. */
export interface CrashScenario {
  readonly name: string;
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly parts?: Parts;
  /** What was before, by a host that ended in good order. */
  readonly arrange: (stage: Stage) => Promise<void>;
  /** Time that passes until the next host starts. */
  readonly laterMs?: number;
  /** What the next host does; all of it is cut. What people ask it for, they ask again of the one after it if need be. */
  readonly act: (stage: Stage) => Promise<void>;
  /** Its messages end alike, however it is cut; else their story says how they have to. */
  readonly endsAlike?: true;
  /** What people ask the host for a second time, where they were not answered. */
  readonly again?: (stage: Stage) => Promise<void>;
}

const BATCH = ['m1', 'm2', 'm3'].map((id) => ({ session: 'g/a', text: id, id, noWake: true }));

async function sendSome(stage: Stage): Promise<void> {
  await send(stage, { session: 'g/a', text: 'now', id: 'm1' });
  await send(stage, { session: 'g/a', text: 'not by itself', id: 'm2', noWake: true });
}

export const SCENARIOS: readonly CrashScenario[] = [
  {
    name: 'messages are sent one by one',
    endsAlike: true,
    arrange: () => Promise.resolve(),
    act: async (stage) => {
      await sendSome(stage);
      await stage.p.rounds.settled();
      await stage.p.round();
    },
    again: sendSome,
  },
  {
    name: 'messages are sent as a batch',
    endsAlike: true,
    arrange: (stage) => known(stage, 'g/a'),
    act: async (stage) => {
      await sendAll(stage, BATCH);
      await stage.p.rounds.settled();
      await stage.p.round();
    },
    again: (stage) => sendAll(stage, BATCH),
  },
  {
    name: 'spooled messages are delivered and their sessions woken',
    endsAlike: true,
    arrange: async (stage) => {
      await known(stage, 'g/a');
      await stage.p.rounds.stop();
      for (const id of ['m1', 'm2']) await send(stage, { session: 'g/a', text: id, id });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'a session is woken at its due time',
    endsAlike: true,
    arrange: async (stage) => {
      const after = new Date(stage.p.clock.now() + 10_000).toISOString();
      await send(stage, { session: 'g/a', text: 'm1', id: 'm1', after });
      await stage.p.round();
    },
    laterMs: 10_000,
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'acks of every kind are taken over while the container runs',
    endsAlike: true,
    arrange: async (stage) => {
      await given(stage, 'g/a', 'm1', 'm2', 'm3', 'm4');
      claims(stage, 'g/a', 'm1', 'm2', 'm3', 'm4');
      ends(stage, 'g/a', { m1: 'completed', m2: 'fatal', m3: 'retryable', m4: 'rate_limited' });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'acks and claims that an ended container left are taken over',
    endsAlike: true,
    arrange: async (stage) => {
      await given(stage, 'g/a', 'm1');
      await worn(stage, 'g/a', 'm1');
      await given(stage, 'g/a', 'm2', 'm3', 'm4');
      claims(stage, 'g/a', 'm1', 'm2', 'm3', 'm4');
      ends(stage, 'g/a', { m3: 'completed', m4: 'retryable' });
      stage.p.runtime.exit(session('g/a'), { exitCode: 1 });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'a message whose sixth turn does not end becomes a dead letter',
    endsAlike: true,
    arrange: async (stage) => {
      await given(stage, 'g/a', 'm1');
      await worn(stage, 'g/a', 'm1');
      claims(stage, 'g/a', 'm1');
      stage.p.runtime.exit(session('g/a'), { exitCode: 1 });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'acks and claims of a foreign runner that ended are taken over',
    parts: { foreign: ['g/f'] },
    arrange: async (stage) => {
      await given(stage, 'g/f', 'm1', 'm2', 'm3', 'm4');
      claims(stage, 'g/f', 'm1', 'm2', 'm3', 'm4');
      ends(stage, 'g/f', { m2: 'retryable', m3: 'completed', m4: 'rate_limited' });
      stage.p.runtime.exit(session('g/f'), { exitCode: 1 });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'a foreign runner is recycled to try a message again',
    parts: { foreign: ['g/f'] },
    arrange: async (stage) => {
      await given(stage, 'g/f', 'm1', 'm2');
      claims(stage, 'g/f', 'm1', 'm2');
      ends(stage, 'g/f', { m1: 'retryable', m2: 'completed' });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'an idle container is stopped',
    arrange: async (stage) => {
      await given(stage, 'g/a', 'm1');
      claims(stage, 'g/a', 'm1');
      ends(stage, 'g/a', { m1: 'completed' });
      await stage.p.round();
    },
    laterMs: 61_000,
    act: async ({ p }) => {
      await p.round();
      await p.pass(21_000);
      await p.round();
    },
  },
  {
    name: 'a container is stopped in a turn that takes too long',
    settings: { TURN_TIMEOUT_MS: 10_000 },
    arrange: async (stage) => {
      await given(stage, 'g/a', 'm1');
      claims(stage, 'g/a', 'm1');
      await stage.p.round();
    },
    laterMs: 61_000,
    act: async ({ p }) => {
      await p.round();
      await p.pass(11_000);
      await p.round();
    },
  },
  {
    name: 'a container that ended before it claimed is started again',
    endsAlike: true,
    parts: { fruitless: { 'g/a': 2 } },
    arrange: async (stage) => {
      await given(stage, 'g/a', 'm1');
      stage.runners.step(stage.p);
    },
    act: async ({ p }) => {
      await p.round();
      await p.pass(1_000);
    },
  },
  {
    name: 'an occurrence that completed is followed by the next',
    endsAlike: true,
    arrange: async (stage) => {
      await atNine(stage, '0 9 * * *');
      ends(stage, 'g/a', { s: 'completed' });
    },
    laterMs: 3 * HOUR_MS,
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'an occurrence that ends as a dead letter, its claim left behind, is followed by the next',
    endsAlike: true,
    arrange: async (stage) => {
      await atNine(stage, '0 9 * * *');
      await worn(stage, 'g/a', 's');
      claims(stage, 'g/a', 's');
      stage.p.runtime.exit(session('g/a'), { exitCode: 1 });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'a series catches up on all that it missed',
    endsAlike: true,
    arrange: async (stage) => {
      await atNine(stage, '0 * * * *', 'all');
      ends(stage, 'g/a', { s: 'fatal' });
    },
    laterMs: 3 * HOUR_MS,
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'a missed occurrence moves',
    endsAlike: true,
    arrange: async (stage) => {
      const { p } = stage;
      await known(stage, 'g/a');
      await p.rounds.stop();
      sendSeries(p, 'g/a', 's', { cron: '0 9 * * *', firstMs: utc('2026-01-12 09:00') });
    },
    act: async ({ p }) => {
      await p.round();
    },
  },
  {
    name: 'a dead letter is replayed',
    endsAlike: true,
    arrange: async (stage) => {
      await given(stage, 'g/a', 'm1');
      claims(stage, 'g/a', 'm1');
      ends(stage, 'g/a', { m1: 'fatal' });
      await stage.p.round();
    },
    act: async (stage) => {
      await replay(stage, 'g/a', 'm1');
      await stage.p.rounds.settled();
      await stage.p.round();
    },
    again: (stage) => replay(stage, 'g/a', 'm1'),
  },
  {
    name: "a foreign runner's dead letter is replayed",
    parts: { foreign: ['g/f'] },
    arrange: async (stage) => {
      await given(stage, 'g/f', 'm1');
      claims(stage, 'g/f', 'm1');
      ends(stage, 'g/f', { m1: 'fatal' });
      await stage.p.round();
    },
    act: async (stage) => {
      await replay(stage, 'g/f', 'm1');
      await stage.p.rounds.settled();
      await stage.p.round();
    },
    again: (stage) => replay(stage, 'g/f', 'm1'),
  },
  {
    name: 'a host starts: containers to adopt, one that ended, one that nobody owns, one too many',
    arrange: async (stage) => {
      const { p } = stage;
      for (const text of ['g/a', 'g/b']) await given(stage, text, 'm1');
      for (const text of ['g/a', 'g/b']) claims(stage, text, 'm1');
      p.runtime.exit(session('g/b'), { exitCode: 1 });
      await p.rounds.stop();
      planted(p, 'g/a', { epoch: 0 as ContainerSpec['epoch'] });
      planted(p, 'x/y', {});
    },
    act: async ({ p }) => {
      await p.rounds.start();
      await p.rounds.settled();
    },
  },
];
