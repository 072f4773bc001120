import { isHostReason } from '../../src/core/reasons.js';
import type { IncarnationRecord, Registry, SessionRecord } from '../../src/ports/registry.js';
import type { MessageId, SessionAddress } from '../../src/protocol/address.js';
import type { FakeRuntime } from './fake-runtime.js';
import { ackOf, dueAtMs, findFiles, isLive, isUnfinished } from './found-files.js';
import type { FoundFiles, FoundMessage } from './found-files.js';
import type { PlayedTurn, Story } from './played-runners.js';

/** Where the promises are to be held: files, registry and engine of one install. */
export interface Kept {
  readonly dataDir: string;
  readonly registry: Registry;
  readonly runtime: FakeRuntime;
  readonly clock: { now(): number };
  /** MAX_TRIES. */
  readonly maxTries: number;
  /** Whether calls of the engine failed: what ended meanwhile is put down to it. */
  readonly engineFailed?: boolean;
  /**
   * Sessions of foreign runners, where a host was killed at any moment: the ack that has a message tried again is gone
   * before it is counted, and so may not be counted at all. Never twice.
   */
  readonly forgetful?: readonly SessionAddress[];
}

/** What must be so at any time at which no file is half written, also right after a crash: each line is a breach. */
export function breaches(kept: Kept, story: Story): readonly string[] {
  const files = findFiles(kept.dataDir, kept.registry);
  return [...lostOrTwice(kept, story, files), ...brokenSeries(files), ...startedTwice(kept), ...turnsTooMany(story)];
}

/** What must be so after every round: what the host says runs is what runs, and that is one container a session. */
export function breachesInRound(
  { runtime }: Kept,
  known: readonly { readonly session: SessionAddress; readonly epoch: number }[],
): readonly string[] {
  const nameOf = (one: { readonly session: SessionAddress | undefined; readonly epoch: number }): string =>
    `${one.session ?? '?'} ${String(one.epoch)}`;
  const running = runtime.containers().filter(({ state }) => state === 'running');
  const there = new Set(running.map(nameOf));
  const believed = new Set(known.map(nameOf));
  return [
    ...repeated(running.map(({ session }) => session)).map((session) => `${session ?? '?'}: several containers run`),
    ...[...there].filter((name) => !believed.has(name)).map((name) => `${name}: runs, and the host does not know`),
    ...[...believed].filter((name) => !there.has(name)).map((name) => `${name}: does not run, and the host says so`),
  ];
}

/** What must be so besides once nothing is left to do: no container runs, and what is pending waits for its time. */
export function breachesAtRest(kept: Kept, story: Story): readonly string[] {
  const files = findFiles(kept.dataDir, kept.registry);
  return [
    ...breaches(kept, story),
    ...files.flatMap((one) => [
      ...unfinished(one),
      ...leftBehind(kept, one),
      ...miscountedTurns(kept, story, one),
      ...missingEnds(kept, one),
      ...disagreements(kept, one),
      ...untold(kept, one),
      ...miscountedGuard(kept, story, one),
    ]),
    ...unexplainedEnds(kept),
  ];
}

/** An accepted message is in the spool or in its file, and there once. */
function lostOrTwice({ registry }: Kept, { accepted }: Story, files: readonly FoundFiles[]): readonly string[] {
  return accepted.flatMap(({ session, id }) => {
    const rows = files.find((one) => one.session === session)?.messages.filter((row) => row.id === id) ?? [];
    const isSpooled = registry.spooled(session, 1_000).some((message) => message.id === id);
    if (rows.length === 0 && !isSpooled) return [`${session} ${id}: accepted and lost`];
    return rows.length > 1 ? [`${session} ${id}: ${String(rows.length)} rows`] : [];
  });
}

/** A series that goes on has one live row, and no occurrence is there twice. */
function brokenSeries(files: readonly FoundFiles[]): readonly string[] {
  return files.flatMap(({ session, messages }) => {
    const live = messages.filter(isLive).map((row) => row.series_id);
    const fired = messages.flatMap((row) =>
      row.occurrence === null ? [] : [`${row.series_id ?? ''} ${row.occurrence}`],
    );
    return [
      ...repeated(live).map((series) => `${session} ${series ?? '?'}: several live rows`),
      ...repeated(fired).map((occurrence) => `${session} ${occurrence}: an occurrence twice`),
    ];
  });
}

function startedTwice({ runtime }: Kept): readonly string[] {
  const started = runtime.started.map(({ spec }) => `${spec.session} ${String(spec.epoch)}`);
  return repeated(started).map((incarnation) => `${incarnation}: started twice`);
}

/**
 * A host that starts now looks at every session by the time at which there is something to do: what the registry
 * believes is due is never too late.
 */
export function overlooked({ dataDir, registry, clock }: Kept): readonly string[] {
  const files = findFiles(dataDir, registry);
  const open = new Set(registry.openIncarnations().map(({ session }) => session));
  return files.flatMap((one) => {
    const record = requireSession(registry, one.session);
    const isActive = record.status === 'active' && record.quarantine === null;
    const isLookedAt = open.has(one.session) || record.counts.processing > 0;
    const wantedMs = wantedAtMs(registry, one);
    if (!isActive || isLookedAt || wantedMs === null) return [];
    const { nextDueAtMs } = record;
    // What is due already is looked at in its first round.
    if (nextDueAtMs !== null && nextDueAtMs <= Math.max(wantedMs, clock.now())) return [];
    return [`${one.session}: due at ${String(wantedMs)}, believed to be due at ${String(nextDueAtMs)}`];
  });
}

/** When there is something to do for a session; acks that wait to be taken over are due at once. */
function wantedAtMs(registry: Registry, one: FoundFiles): number | null {
  const times = one.messages.flatMap((row) => {
    if (row.status !== 'pending') return [];
    if (ackOf(one, row) !== undefined) return [0];
    return row.trigger === 1 ? [dueAtMs(row)] : [];
  });
  const replays = registry.replays(one.session).map(({ requestedAtMs }) => requestedAtMs);
  return least([...times, ...replays]);
}

/** Once a message's turn is over for good, nobody is given it again, unless an operator asks for it. */
function turnsTooMany({ turns, replayed }: Story): readonly string[] {
  return turns.flatMap((turn, index) => {
    const before = turns.findLastIndex((one, at) => at < index && isSame(one, turn));
    const ended = turns[before]?.outcome;
    if (ended !== 'completed' && ended !== 'fatal') return [];
    const isReplayed = replayed.some(
      (one) =>
        one.session === turn.session && one.id === turn.message && one.afterTurns > before && one.afterTurns <= index,
    );
    return isReplayed ? [] : [`${turn.session} ${turn.message}: a turn after one that ended as ${ended}`];
  });
}

/** Every message ends, completed or as a dead letter that says why; what waits to be started by others stays. */
function unfinished({ session, messages }: FoundFiles): readonly string[] {
  return messages.flatMap((row) => {
    const where = `${session} ${row.id}`;
    if (isUnfinished(row.status)) return isLive(row) || row.trigger === 0 ? [] : [`${where}: is still ${row.status}`];
    if (row.finished_at === null) return [`${where}: ${row.status} at no time`];
    return row.status === 'failed' && (row.error ?? '') === '' ? [`${where}: a dead letter without a reason`] : [];
  });
}

/** Claims, marks, spooled messages, requests. */
function leftBehind({ registry }: Kept, { session, messages, acks }: FoundFiles): readonly string[] {
  return [
    ...acks
      .filter(({ status }) => status === 'processing')
      .map((ack) => `${session} ${ack.message_id}: a claim is left`),
    ...messages
      .filter((row) => isUnfinished(row.status) && row.settled_claim !== null)
      .map(({ id }) => `${session} ${id}: a mark is left`),
    ...registry.spooled(session, 1_000).map(({ id }) => `${session} ${id}: still in the spool`),
    ...registry.replays(session).map(({ id }) => `${session} ${id}: a replay is still asked for`),
  ];
}

/** Tries are the turns that did not end, each counted once; deferrals those that a rate limit put off. */
function miscountedTurns(kept: Kept, story: Story, { session, messages }: FoundFiles): readonly string[] {
  return messages.flatMap((row) => {
    const turns = turnsSinceReplay(story, session, row.id);
    const spent = turns.filter((turn) => turn.outcome === 'retryable' || isUnended(kept, turn)).length;
    const deferrals = turns.filter(({ outcome }) => outcome === 'rate_limited').length;
    const found = `${row.status}, ${String(row.tries)} tries, ${String(row.deferrals)} deferrals`;
    const status = statusAfter(row, turns.at(-1), spent > kept.maxTries);
    const tries = Math.min(spent, kept.maxTries);
    const expected = `${status}, ${String(tries)} tries, ${String(deferrals)} deferrals`;
    const forgets = kept.forgetful?.includes(session) === true && row.status === status;
    const isFewer = row.tries + row.deferrals === tries + deferrals - 1;
    return found === expected || (forgets && isFewer) ? [] : [`${session} ${row.id}: ${found} instead of ${expected}`];
  });
}

function statusAfter(row: FoundMessage, last: PlayedTurn | undefined, isSpent: boolean): string {
  if (last?.outcome === 'completed') return 'completed';
  return last?.outcome === 'fatal' || isSpent ? 'failed' : row.status;
}

/** It ended with its container, and not because the host or the engine wanted that for reasons of their own. */
function isUnended(
  { registry, runtime, engineFailed = false }: Kept,
  { session, epoch, outcome }: PlayedTurn,
): boolean {
  if (outcome !== null) return false;
  const end = runtime.ended.find((one) => one.session === session && one.epoch === epoch);
  if (end === undefined) return false;
  const reason = registry.findIncarnation(session, epoch as SessionRecord['epoch'])?.stopReason ?? null;
  if (reason === 'engine_restart') return !engineFailed;
  return end.by === 'itself' || reason === null || !isHostReason(reason);
}

/** Every attempt that was followed by another has its end in the history. */
function missingEnds({ registry }: Kept, { session, messages }: FoundFiles): readonly string[] {
  return messages.flatMap(({ id, attempt: attempts }) => {
    const known = new Set(registry.turnEnds(session, id as MessageId).map(({ attempt }) => attempt));
    const missing = Array.from({ length: attempts }, (_, attempt) => attempt).filter((attempt) => !known.has(attempt));
    return missing.map((attempt) => `${session} ${id}: nobody knows how attempt ${String(attempt)} ended`);
  });
}

/** The registry's counts and due time are those of the files. */
function disagreements({ registry }: Kept, one: FoundFiles): readonly string[] {
  const { counts, liveSeries, nextDueAtMs } = requireSession(registry, one.session);
  const among = (status: string): number =>
    one.messages.filter((row) => row.status === status && row.purged_at === null).length;
  const processing = one.messages.filter(
    (row) => row.status === 'pending' && ackOf(one, row)?.status === 'processing',
  ).length;
  const found = {
    pending: among('pending') - processing,
    processing,
    completed: among('completed'),
    failed: among('failed'),
    paused: among('paused'),
    liveSeries: one.messages.filter(isLive).length,
    nextDueAtMs: wantedAtMs(registry, one),
  };
  const believed = { ...counts, liveSeries, nextDueAtMs };
  return Object.entries(found).flatMap(([name, value]) => {
    const belief = believed[name as keyof typeof believed];
    return belief === value ? [] : [`${one.session}: ${name} ${String(value)}, in the registry ${String(belief)}`];
  });
}

/** Whoever looks at notices hears of dead letters. */
function untold({ registry }: Kept, { session, messages }: FoundFiles): readonly string[] {
  const isDead = messages.some((row) => row.status === 'failed' && row.purged_at === null);
  const told = registry.openNotices(1_000).filter((notice) => notice.session === session);
  const isTold = told.some(({ kind }) => kind === 'dead_letter');
  return isDead === isTold
    ? []
    : [`${session}: ${isDead ? 'nobody was told of a dead letter' : 'told of no dead letter'}`];
}

/** What must be so besides after every round of a host that nothing keeps from its work: no start is forgotten. */
export function forgottenStarts(kept: Kept, story: Story): readonly string[] {
  return [...kept.registry.eachSession()].flatMap(({ address }) => miscountedStarts(kept, story, address));
}

function miscountedStarts(kept: Kept, story: Story, session: SessionAddress): readonly string[] {
  const { fruitless } = kept.registry.guard(session);
  const wanted = fruitlessInARow(kept, story, session);
  return fruitless === wanted
    ? []
    : [`${session}: guard counts ${String(fruitless)} fruitless starts instead of ${String(wanted)}`];
}

/** Fruitless starts in a row since the last claim, and messages in a row that tries did not help. */
function miscountedGuard(kept: Kept, story: Story, one: FoundFiles): readonly string[] {
  const { settledFailures } = kept.registry.guard(one.session);
  const wanted = deadInARow(kept, story, one);
  const dead = `guard counts ${String(settledFailures)} messages failed by settling instead of ${String(wanted)}`;
  return [
    ...miscountedStarts(kept, story, one.session),
    ...(settledFailures === wanted ? [] : [`${one.session}: ${dead}`]),
  ];
}

function fruitlessInARow({ registry, runtime }: Kept, { turns }: Story, session: SessionAddress): number {
  const hasClaimed = (epoch: number): boolean => turns.some((one) => one.session === session && one.epoch === epoch);
  const running = runtime.running(session);
  if (running !== undefined && hasClaimed(running.epoch)) return 0;
  let inARow = 0;
  for (const { epoch, by } of runtime.ended.filter((ended) => ended.session === session)) {
    const reason = registry.findIncarnation(session, epoch as SessionRecord['epoch'])?.stopReason ?? null;
    const isFree = by !== 'itself' && reason !== null && isHostReason(reason);
    if (hasClaimed(epoch)) inARow = 0;
    else if (!isFree) inARow += 1;
  }
  return inARow;
}

/** Dead letters whose last turn did not end, since a message was completed. */
function deadInARow(kept: Kept, { turns }: Story, { session, messages }: FoundFiles): number {
  const own = turns.filter((turn) => turn.session === session);
  const since = own.slice(own.findLastIndex(({ outcome }) => outcome === 'completed') + 1);
  return messages.filter((row) => {
    const last = since.findLast(({ message }) => message === row.id);
    return row.status === 'failed' && last !== undefined && isUnended(kept, last);
  }).length;
}

/** Every incarnation that is over is recorded as such; one that the host ended says why. */
function unexplainedEnds({ registry, runtime }: Kept): readonly string[] {
  const records = new Map<string, IncarnationRecord>();
  for (const { address } of registry.eachSession()) {
    for (const one of registry.incarnations(address, 1_000)) records.set(`${address} ${String(one.epoch)}`, one);
  }
  const open = registry.openIncarnations().map(({ session, epoch }) => `${session} ${String(epoch)}: is not over`);
  const unexplained = runtime.ended.flatMap(({ session, epoch, by }) => {
    const name = `${session ?? '?'} ${String(epoch)}`;
    const record = records.get(name);
    // Of sessions that the registry does not know nothing is recorded.
    if (session === undefined || registry.findSession(session) === undefined) return [];
    // One too many, that no host of this install ever began.
    if (record === undefined) return by === 'remove' ? [] : [`${name}: no such incarnation`];
    return (by === 'stop' || by === 'remove') && record.stopReason === null ? [`${name}: stopped for no reason`] : [];
  });
  return [...open, ...unexplained];
}

function turnsSinceReplay({ turns, replayed }: Story, session: SessionAddress, id: string): readonly PlayedTurn[] {
  const from = replayed.findLast((one) => one.session === session && one.id === id)?.afterTurns ?? 0;
  return turns.slice(from).filter((turn) => turn.session === session && turn.message === id);
}

function isSame(a: PlayedTurn, b: PlayedTurn): boolean {
  return a.session === b.session && a.message === b.message;
}

function requireSession(registry: Registry, session: SessionAddress): SessionRecord {
  const record = registry.findSession(session);
  if (record === undefined) throw new Error(`the registry knows no session ${session}`);
  return record;
}

function repeated<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}

function least(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.min(...values);
}
