import { sendBatch } from '../../src/desk/send-batch.js';
import { sendMessage } from '../../src/desk/send-message.js';
import { retryDead } from '../../src/desk/retry-dead.js';
import type { SendInput } from '../../src/desk/api.js';
import type { ContainerSpec } from '../../src/ports/runtime.js';
import { deskOf } from './desk-of.js';
import type { PlayedRunners, TurnOutcome } from './played-runners.js';
import { session } from './porter.js';
import type { TestPorter } from './porter.js';
import { sendSeries } from './series.js';
import { utc } from './wall-times.js';

/** A host at work, with what it works on. */
export interface Stage {
  readonly p: TestPorter;
  readonly runners: PlayedRunners;
}

/** What people may ask for twice: it is done once. */
export async function send({ p, runners }: Stage, input: SendInput & { readonly id: string }): Promise<void> {
  const address = session(input.session);
  if (isAccepted(runners, input.session, input.id)) return;
  await sendMessage(deskOf(p), input);
  runners.story.accepted.push({ session: address, id: input.id });
}

export async function sendAll(
  { p, runners }: Stage,
  inputs: readonly (SendInput & { readonly id: string })[],
): Promise<void> {
  const left = inputs.filter((input) => !isAccepted(runners, input.session, input.id));
  if (left.length === 0) return;
  const lines = left.map((input) => JSON.stringify(input)).join('\n');
  await sendBatch(deskOf(p), bytesOf(lines), undefined);
  for (const { session: text, id } of left) runners.story.accepted.push({ session: session(text), id });
}

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}

function isAccepted({ story }: PlayedRunners, text: string, id: string): boolean {
  return story.accepted.some((one) => one.session === text && one.id === id);
}

/** Asked for until the answer is heard; what is tried again already needs no asking. */
export async function replay({ p, runners: { story } }: Stage, text: string, id: string): Promise<void> {
  const address = session(text);
  if (!story.replayed.some((one) => one.session === text && one.id === id)) {
    story.replayed.push({ session: address, id, afterTurns: story.turns.length });
  }
  const isAskedFor = p.registry.replays(address).length > 0;
  if (isAskedFor || p.message(text, id)?.['attempt'] !== 0) return;
  const waiting = { isOver: false };
  const answer = retryDead(deskOf(p), { session: text, ids: [id] }).finally(() => {
    waiting.isOver = true;
  });
  // Files that are locked are waited for.
  const waits = (async () => {
    for (let turn = 1; !waiting.isOver && turn <= 1_000; turn += 1) {
      await new Promise(setImmediate);
      if (turn % 20 === 0) p.clock.advance(100);
    }
  })();
  await Promise.all([answer, waits]);
}

/** Accepts messages for one session and makes a round: they are in its file, and what is due has woken it. */
export async function given(stage: Stage, text: string, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) await send(stage, { session: text, text: id, id });
  await stage.p.round();
}

/** A session with its files, and nothing to do. */
export async function known(stage: Stage, text: string): Promise<void> {
  await send(stage, { session: text, text: 'not by itself', id: 'm0', noWake: true });
  await stage.p.round();
}

export function claims({ p, runners }: Stage, text: string, ...ids: readonly string[]): void {
  for (const id of ids) runners.claim(p, session(text), id);
}

/** Ends turns in turn: `{ m1: 'completed' }`. */
export function ends({ p, runners }: Stage, text: string, outcomes: Readonly<Record<string, TurnOutcome>>): void {
  for (const [id, outcome] of Object.entries(outcomes)) runners.end(p, session(text), id, outcome);
}

/** A message has five turns that do not end, and is due for its last. */
export async function worn(stage: Stage, text: string, id: string): Promise<void> {
  const { p, runners } = stage;
  for (const backoffMs of [5, 10, 20, 40, 80].map((seconds) => seconds * 1_000)) {
    if (runners.story.turns.at(-1)?.epoch !== p.epoch(text)) claims(stage, text, id);
    p.runtime.exit(session(text), { exitCode: 1 });
    await p.round();
    await p.pass(backoffMs);
    await p.round();
  }
}

export const HOUR_MS = 3_600_000;
const NINE = utc('2026-01-15 09:00');

/** A series whose occurrence of nine in the morning is under way. */
export async function atNine(stage: Stage, cron: string, missed: 'latest' | 'all' = 'latest'): Promise<void> {
  const { p } = stage;
  p.clock.jump(NINE - p.clock.now());
  sendSeries(p, 'g/a', 's', { cron, missed, firstMs: NINE });
  await p.round();
  claims(stage, 'g/a', 's');
}

/** What an engine may have of sessions beside what the host knows. */
export function planted(p: TestPorter, text: string, changes: Partial<ContainerSpec>): void {
  const [known] = p.runtime.started;
  if (known === undefined) throw new Error('nothing was started before');
  p.runtime.plant({ ...known.spec, session: session(text), name: `planted-${text}`, ...changes });
}
