import { describe, expect, test } from 'vitest';
import type { Action } from '../../../src/core/action.js';
import { claimMark } from '../../../src/core/claims.js';
import type { FilesFacts } from '../../../src/core/facts.js';
import { noteLook } from '../../../src/core/memory.js';
import type { RunningMemory } from '../../../src/core/memory.js';
import type { PassContext } from '../../../src/core/observation.js';
import { isStale, planJudge } from '../../../src/core/plan/judge.js';
import type { Policy } from '../../../src/core/policy.js';
import {
  acked,
  CONTEXT,
  DAY,
  due,
  facts,
  foreign,
  HOUR,
  idOf,
  MINUTE,
  MONOTONIC,
  NOW,
  POLICY,
  running,
  said,
  SECOND,
  state,
  watched,
} from './builders.js';
import type { Running } from './builders.js';

interface Case {
  readonly container?: Running;
  readonly watchedForMs?: number;
  readonly policy?: Partial<Policy>;
  readonly context?: Partial<PassContext>;
  readonly memory?: RunningMemory;
}

function verdict(
  over: Partial<FilesFacts>,
  { container = running(), watchedForMs = HOUR, ...rest }: Case = {},
): readonly Action[] {
  const found = facts(over);
  const memory = rest.memory ?? watched(found, watchedForMs, container);
  return planJudge(container, found, memory, { ...POLICY, ...rest.policy }, { ...CONTEXT, ...rest.context });
}

function judge(over: Partial<FilesFacts>, rest: Case = {}): string[] {
  return said(verdict(over, rest));
}

const silentSince = (ms: number) => ({ heartbeatMtimeMs: NOW - ms });
const claimedFor = (ms: number) => ({ acked: [acked({ atMs: NOW - ms })] });
const STOPPED = ['stop stale_and_stuck'];

test('says how long in whole milliseconds: clocks tell fractions of them', () => {
  const found = facts({ ...silentSince(SECOND), ...claimedFor(20 * MINUTE) });
  const policy = { ...POLICY, turnTimeoutMs: MINUTE };
  const context = { ...CONTEXT, nowMs: NOW + 0.375574, monotonicMs: MONOTONIC + 0.375574 };
  const [action] = planJudge(running(), found, watched(found, HOUR, running()), policy, context);
  expect(action).toMatchObject({ kind: 'stop', detail: `message m1 claimed ${String(20 * MINUTE)} ms ago` });
});

describe('a container that is silent and sits on a claim', () => {
  test('is stopped', () => {
    expect(judge({ ...silentSince(11 * MINUTE), ...claimedFor(2 * MINUTE) })).toEqual(STOPPED);
  });

  test.each([
    ['its heartbeat is exactly at the threshold', silentSince(10 * MINUTE), claimedFor(2 * MINUTE)],
    ['its claim is exactly at its tolerance', silentSince(11 * MINUTE), claimedFor(MINUTE)],
    ['it beats', silentSince(SECOND), claimedFor(HOUR)],
  ])('survives while %s', (_, heartbeat, claim) => {
    expect(judge({ ...heartbeat, ...claim })).toEqual([]);
  });

  test('one millisecond over both is enough', () => {
    expect(judge({ ...silentSince(10 * MINUTE + 1), ...claimedFor(MINUTE + 1) })).toEqual(STOPPED);
  });

  test('survives until the host itself saw no change for two rounds', () => {
    const found = { ...silentSince(11 * MINUTE), ...claimedFor(2 * MINUTE) };
    expect(judge(found, { watchedForMs: 2 * MINUTE })).toEqual([]);
    expect(judge(found, { watchedForMs: 2 * MINUTE + 1 })).toEqual(STOPPED);
  });

  test('is watched no longer than a short threshold itself', () => {
    const found = { ...silentSince(3 * SECOND), ...claimedFor(2 * MINUTE) };
    const policy = { staleThresholdMs: 2 * SECOND };
    expect(judge(found, { policy, watchedForMs: 2 * SECOND })).toEqual([]);
    expect(judge(found, { policy, watchedForMs: 2 * SECOND + 1 })).toEqual(STOPPED);
  });

  test('any change of the heartbeat that the host saw counts, even one to an older time', () => {
    const first = watched(facts({ heartbeatMtimeMs: NOW - HOUR }), HOUR);
    const found = facts({ heartbeatMtimeMs: NOW - 2 * HOUR, ...claimedFor(2 * MINUTE) });
    const memory = noteLook(first, found, running(), NOW - MINUTE, MONOTONIC - MINUTE);
    expect(judge(found, { memory })).toEqual([]);
  });

  test('F4: no heartbeat counts from the start', () => {
    const found = { heartbeatMtimeMs: null, ...claimedFor(2 * MINUTE) };
    expect(judge(found, { container: running({ startedAtMs: NOW - 10 * MINUTE }), watchedForMs: 9 * MINUTE })).toEqual(
      [],
    );
    expect(
      judge(found, { container: running({ startedAtMs: NOW - 10 * MINUTE - 1 }), watchedForMs: 9 * MINUTE }),
    ).toEqual(STOPPED);
  });

  test('F15: a heartbeat of next year counts as of its first sighting, and exempts nobody for ever', () => {
    const found = { heartbeatMtimeMs: NOW + 365 * DAY, ...claimedFor(20 * MINUTE) };
    expect(judge(found, { watchedForMs: 10 * MINUTE })).toEqual([]);
    expect(judge(found, { watchedForMs: 10 * MINUTE + 1 })).toEqual(STOPPED);
  });

  test('F15: a claim of next year counts as of its first sighting', () => {
    const found = { ...silentSince(20 * MINUTE), acked: [acked({ atMs: NOW + 365 * DAY })] };
    expect(judge(found, { watchedForMs: 3 * MINUTE })).toEqual(STOPPED);
    expect(judge(found, { watchedForMs: MINUTE, policy: { sweepIntervalMs: SECOND } })).toEqual([]);
  });

  test('a claim whose time cannot be read counts as of its first sighting', () => {
    const found = { ...silentSince(20 * MINUTE), acked: [acked(foreign({ statusChanged: 'a while ago' }))] };
    expect(judge(found, { watchedForMs: 3 * MINUTE })).toEqual(STOPPED);
  });

  test('a claim that the memory has not seen yet was made now', () => {
    const memory = watched(facts(silentSince(20 * MINUTE)), HOUR);
    const found = { ...silentSince(20 * MINUTE), acked: [acked(foreign({ statusChanged: 'soon' }))] };
    expect(judge(found, { memory, policy: { turnTimeoutMs: 1 } })).toEqual([]);
  });

  test('F15: a start in the future, as a clock that was set back leaves it, counts as of the first look', () => {
    const container = running({ startedAtMs: NOW + 365 * DAY });
    const found = { heartbeatMtimeMs: null, acked: [acked({ atMs: NOW - 20 * MINUTE })] };
    expect(judge(found, { container, watchedForMs: 11 * MINUTE })).toEqual(STOPPED);
  });
});

describe('F3: a fresh container', () => {
  const old = { acked: [acked({ atMs: NOW - HOUR, incarnation: 6 })], heartbeatMtimeMs: NOW - 3 * HOUR };

  test('is not judged within the grace of its start', () => {
    const found = { ...silentSince(DAY), acked: [acked({ atMs: NOW - DAY })] };
    const policy = { staleThresholdMs: SECOND, claimStuckMs: SECOND, absoluteCeilingMs: SECOND };
    expect(judge(found, { policy, container: running({ startedAtMs: NOW - MINUTE }) })).toEqual([]);
    expect(judge(found, { policy, container: running({ startedAtMs: NOW - MINUTE - 1 }) })).toEqual(STOPPED);
  });

  test('is not judged by the claims of an older incarnation', () => {
    expect(judge({ ...old, ...silentSince(11 * MINUTE) })).toEqual(['stop idle']);
  });

  test('is not judged by a claim of a foreign runner that was counted before its start', () => {
    const container = running({ startedAtMs: Date.UTC(2026, 2, 14, 11, 48, 0, 600) });
    const claimedAt = (statusChanged: string, settledClaim: string | null) => ({
      acked: [acked(foreign({ statusChanged }), { settledClaim })],
      heartbeatMtimeMs: null,
    });
    const countedAt = (time: string) => claimedAt(time, claimMark(6, null, time));
    expect(judge(countedAt('2026-03-14 11:47:59'), { container })).toEqual(['stop idle']);
    expect(judge(countedAt('2026-03-14 11:48:00'), { container }), 'it may be made anew in that second').toEqual(
      STOPPED,
    );
    const early = claimedAt('2026-03-14 11:47:59', null);
    expect(judge(early, { container }), 'F34: its own, the clock was set back').toEqual(STOPPED);
  });

  test('is not judged by the heartbeat of its predecessor', () => {
    const container = running({ startedAtMs: NOW - 5 * MINUTE });
    const found = { heartbeatMtimeMs: NOW - 3 * HOUR, ...claimedFor(2 * MINUTE) };
    expect(judge(found, { container, watchedForMs: 4 * MINUTE })).toEqual([]);
  });

  test('is not judged by what is remembered of its predecessor', () => {
    const memory = watched(facts(), HOUR, running({ epoch: 6 }));
    expect(judge({ ...silentSince(HOUR), ...claimedFor(HOUR) }, { memory })).toEqual([]);
    expect(isStale(memory, running(), POLICY, CONTEXT)).toBe(false);
  });

  test('is not excused by the tool of its predecessor', () => {
    const tool = { currentTool: 'bash', toolDeclaredTimeoutMs: HOUR, toolStartedAtMs: NOW - 20 * MINUTE };
    const found = { ...silentSince(15 * MINUTE), ...claimedFor(2 * MINUTE) };
    expect(judge({ ...found, containerState: state({ ...tool, incarnation: 6 }) })).toEqual(STOPPED);
  });
});

describe('F23: a runner that declares its heartbeat', () => {
  test.each([
    ['6 intervals', 20 * SECOND, 120 * SECOND],
    ['at least 60 s', SECOND, 60 * SECOND],
    ['never more than STALE_THRESHOLD_MS (F15)', 365 * DAY, 10 * MINUTE],
    ['an interval of none is none', 0, 10 * MINUTE],
  ])('is stale after %s', (_, heartbeatIntervalMs, thresholdMs) => {
    const containerState = state({ heartbeatIntervalMs });
    const claim = claimedFor(20 * MINUTE);
    expect(judge({ ...silentSince(thresholdMs), ...claim, containerState })).toEqual([]);
    expect(judge({ ...silentSince(thresholdMs + 1), ...claim, containerState })).toEqual(STOPPED);
  });

  test('and is slow or rate-limited is alive: progress is another thing', () => {
    const containerState = state({ heartbeatIntervalMs: 10 * SECOND, progressAtMs: NOW - 29 * MINUTE });
    expect(judge({ ...silentSince(5 * SECOND), ...claimedFor(2 * HOUR), containerState })).toEqual([]);
  });

  test('gets no extension for a tool once it went stale', () => {
    const tool = { currentTool: 'bash', toolDeclaredTimeoutMs: HOUR, toolStartedAtMs: NOW - 5 * MINUTE };
    const found = { ...silentSince(11 * MINUTE), ...claimedFor(11 * MINUTE) };
    expect(judge({ ...found, containerState: state({ ...tool, heartbeatIntervalMs: 10 * SECOND }) })).toEqual(STOPPED);
    expect(judge({ ...found, containerState: state(tool) })).toEqual([]);
  });
});

describe('the timeout that a tool declares', () => {
  const tool = (timeoutMs: number | null, startedAgoMs: number) =>
    state({ currentTool: 'bash', toolDeclaredTimeoutMs: timeoutMs, toolStartedAtMs: NOW - startedAgoMs });
  const silent = { ...silentSince(25 * MINUTE), ...claimedFor(26 * MINUTE) };

  test('extends the tolerance of a claim, counted from the start of the tool', () => {
    expect(judge({ ...silent, containerState: tool(20 * MINUTE, 20 * MINUTE) })).toEqual([]);
    expect(judge({ ...silent, containerState: tool(20 * MINUTE, 20 * MINUTE + 1) })).toEqual(STOPPED);
  });

  test('a tool of a foreign runner counts too', () => {
    const containerState = { ...tool(30 * MINUTE, MINUTE), incarnation: null };
    expect(judge({ ...silent, containerState })).toEqual([]);
    expect(judge({ ...silent, containerState: { ...containerState, updatedAtMs: null } })).toEqual([]);
  });

  test.each([
    ['declares none', tool(null, MINUTE)],
    ['declares none and starts this very moment', tool(null, 0)],
    ['declares a negative one', tool(-1, MINUTE)],
    ['is not named', { ...tool(HOUR, MINUTE), currentTool: null }],
    ['started nobody knows when', { ...tool(HOUR, MINUTE), toolStartedAtMs: null, updatedAtMs: null }],
  ])('does not extend where the tool %s', (_, containerState) => {
    expect(judge({ ...silent, containerState })).toEqual(STOPPED);
  });

  test('counts from the last word where the start is not told', () => {
    const containerState = { ...tool(20 * MINUTE, 0), toolStartedAtMs: null, updatedAtMs: NOW - MINUTE };
    expect(judge({ ...silent, containerState })).toEqual([]);
  });

  test('F15: is clamped to MAX_TOOL_TIMEOUT_MS, for the claim and for the ceiling', () => {
    const found = { ...silentSince(2 * HOUR), ...claimedFor(3 * HOUR) };
    const container = running({ startedAtMs: NOW - DAY });
    const at = (ms: number) => ({ ...found, containerState: tool(1e12, ms) });
    expect(judge(at(2 * HOUR), { container, watchedForMs: 3 * HOUR })).toEqual([]);
    expect(judge(at(2 * HOUR + 1), { container, watchedForMs: 3 * HOUR })).toEqual(STOPPED);
    expect(judge({ ...at(HOUR), ...silentSince(2 * HOUR + 1) }, { container, watchedForMs: 3 * HOUR })).toEqual([
      'stop ceiling',
    ]);
  });

  test('F15: a tool of next year started when it was first seen', () => {
    const found = { ...silent, containerState: tool(10 * MINUTE, -365 * DAY) };
    expect(judge(found, { watchedForMs: 10 * MINUTE })).toEqual([]);
    expect(judge(found, { watchedForMs: 10 * MINUTE + 1 })).toEqual(STOPPED);
  });
});

describe('the ceiling', () => {
  test('ends what is silent for longer, with or without a claim', () => {
    const work = due(NOW - SECOND);
    expect(judge({ ...silentSince(30 * MINUTE), ...work })).toEqual([]);
    expect(judge({ ...silentSince(30 * MINUTE + 1), ...work })).toEqual(['stop ceiling']);
  });

  test('is not raised by the timeout of a tool that does not run', () => {
    const containerState = state({ toolDeclaredTimeoutMs: HOUR });
    expect(judge({ ...silentSince(30 * MINUTE + 1), ...due(NOW), containerState })).toEqual(['stop ceiling']);
  });

  test('holds for a long tool as long as the tool may take', () => {
    const containerState = state({
      currentTool: 'make',
      toolDeclaredTimeoutMs: HOUR,
      toolStartedAtMs: NOW - 50 * MINUTE,
    });
    const found = { ...claimedFor(55 * MINUTE), containerState };
    expect(judge({ ...silentSince(50 * MINUTE), ...found })).toEqual([]);
    expect(judge({ ...silentSince(HOUR + 1), ...found }, { watchedForMs: 2 * HOUR })).toEqual(['stop ceiling']);
  });
});

describe('a container that is alive and does not claim', () => {
  const alive = silentSince(SECOND);

  test('F25: is stopped when a message is due for longer than NOT_CLAIMING_MS', () => {
    expect(judge({ ...alive, ...due(NOW - 5 * MINUTE) })).toEqual([]);
    expect(judge({ ...alive, ...due(NOW - 5 * MINUTE - 1) })).toEqual(['stop not_claiming']);
  });

  test('the time counts from its start where the message is older', () => {
    const container = running({ startedAtMs: NOW - 5 * MINUTE });
    expect(judge({ ...alive, ...due(NOW - DAY) }, { container })).toEqual([]);
  });

  test('the start counts that the runtime confirmed, not one that was believed before', () => {
    const found = facts({ ...alive, ...due(NOW - DAY) });
    const container = running({ startedAtMs: NOW - 5 * MINUTE });
    const believed = watched(found, HOUR, running({ startedAtMs: NOW - HOUR }));
    const memory = noteLook(believed, found, container, NOW, MONOTONIC);
    expect(judge(found, { container, memory })).toEqual([]);
  });

  test('F34: a message that became due before the machine slept is not held against it', () => {
    expect(judge({ ...alive, ...due(NOW - 8 * HOUR) }, { watchedForMs: 5 * MINUTE })).toEqual([]);
  });

  test('one that works through a long queue is not taken for it between two turns', () => {
    const counts = (completed: number) => ({ counts: { ...facts().counts, completed } });
    const first = watched(facts({ ...due(NOW - HOUR), ...counts(3) }), HOUR);
    const found = facts({ ...alive, ...due(NOW - HOUR), ...counts(4) });
    const memory = noteLook(first, found, running(), NOW, MONOTONIC);
    expect(judge(found, { memory })).toEqual([]);
  });

  test('counts only what was seen due at the last look, and is due still', () => {
    const worked = watched(facts({ ...alive, ...due(NOW - HOUR), ...claimedFor(HOUR) }), HOUR);
    expect(judge({ ...alive, ...due(NOW - HOUR) }, { memory: worked })).toEqual([]);
    const waited = watched(facts({ ...alive, ...due(NOW - HOUR) }), HOUR);
    expect(judge(alive, { memory: waited })).toEqual([]);
  });

  test('is left alone while it holds any claim, or is stale', () => {
    expect(judge({ ...alive, ...due(NOW - HOUR), ...claimedFor(HOUR) })).toEqual([]);
    expect(judge({ ...silentSince(11 * MINUTE), ...due(NOW - HOUR) })).toEqual([]);
    const memory = watched(facts({ ...alive, ...due(NOW - HOUR) }), HOUR);
    expect(judge({ ...alive, ...due(NOW - HOUR), ...claimedFor(HOUR) }, { memory })).toEqual([]);
  });
});

describe('progress', () => {
  const slow = (progressAgoMs: number) => ({
    ...silentSince(SECOND),
    containerState: state({ progressAtMs: NOW - progressAgoMs }),
  });
  const watchedForMs = 90 * MINUTE;

  test('none for longer than NO_PROGRESS_MS under a claim ends the turn', () => {
    expect(judge({ ...slow(30 * MINUTE), ...claimedFor(HOUR) }, { watchedForMs })).toEqual([]);
    expect(judge({ ...slow(30 * MINUTE + 1), ...claimedFor(HOUR) }, { watchedForMs })).toEqual(['stop no_progress']);
  });

  test('counts from the claim where that is newer: an idle hour is not held against the next turn', () => {
    expect(judge({ ...slow(HOUR), ...claimedFor(30 * MINUTE) }, { watchedForMs })).toEqual([]);
  });

  test('counts from the oldest claim where there are several', () => {
    const acks = [
      acked({ atMs: NOW - MINUTE }, { id: idOf('m0') }),
      acked({ atMs: NOW - HOUR }),
      acked({ atMs: NOW - 2 * MINUTE }, { id: idOf('m2') }),
    ];
    expect(judge({ ...slow(40 * MINUTE), acked: acks }, { watchedForMs })).toEqual(['stop no_progress']);
  });

  test.each([
    ['the runner declares none', { ...silentSince(SECOND), containerState: state() }, {}],
    ['there is no claim', { ...slow(HOUR), acked: [], ...due(NOW) }, {}],
    ['the group does not judge it', slow(HOUR), { policy: { progressJudged: false } }],
    ['the host has not watched it for so long (F34)', slow(HOUR), { watchedForMs: 30 * MINUTE }],
  ])('is not judged where %s', (_, over, rest) => {
    expect(judge({ ...claimedFor(HOUR), ...over }, { watchedForMs, ...rest })).toEqual([]);
  });

  test('F34: counts anew where the clock was set back', () => {
    const found = facts({ ...slow(MINUTE), ...claimedFor(HOUR) });
    const before = noteLook(undefined, found, running(), NOW, MONOTONIC - HOUR);
    const memory = noteLook(before, found, running(), NOW, MONOTONIC);
    expect(judge(found, { memory })).toEqual([]);
  });

  test('F15: progress of next year counts as of its first sighting', () => {
    expect(judge({ ...slow(-365 * DAY), ...claimedFor(HOUR) }, { watchedForMs: 30 * MINUTE + 1 })).toEqual([
      'stop no_progress',
    ]);
  });
});

describe('TURN_TIMEOUT_MS', () => {
  const alive = silentSince(SECOND);
  const policy = { turnTimeoutMs: 20 * MINUTE };

  test('ends a turn that takes longer, however alive', () => {
    expect(judge({ ...alive, ...claimedFor(20 * MINUTE) }, { policy })).toEqual([]);
    expect(judge({ ...alive, ...claimedFor(20 * MINUTE + 1) }, { policy })).toEqual(['stop turn_timeout']);
  });

  test('is off by default, and never counts sleep (F34)', () => {
    expect(judge({ ...alive, ...claimedFor(110 * MINUTE) })).toEqual([]);
    expect(judge({ ...alive, ...claimedFor(110 * MINUTE) }, { policy, watchedForMs: 20 * MINUTE })).toEqual([]);
  });

  test('F34: counts anew where the clock was set back', () => {
    const found = facts({ ...alive, ...claimedFor(MINUTE) });
    const before = noteLook(undefined, found, running(), NOW, MONOTONIC - HOUR);
    const memory = noteLook(before, found, running(), NOW, MONOTONIC);
    expect(judge(found, { policy, memory })).toEqual([]);
  });

  test('does not concern a container without a claim', () => {
    expect(judge({ ...alive, ...due(NOW) }, { policy })).toEqual([]);
  });

  test('a runner that refreshes the time of its claim does not grow younger', () => {
    const first = watched(facts({ ...alive, ...claimedFor(HOUR) }), 30 * MINUTE);
    const found = facts({ ...alive, ...claimedFor(0) });
    const memory = noteLook(first, found, running(), NOW, MONOTONIC);
    expect(judge(found, { policy, memory })).toEqual(['stop turn_timeout']);
  });
});

describe('an idle container', () => {
  test('is stopped after IDLE_TIMEOUT_MS of the monotonic clock', () => {
    expect(judge(silentSince(SECOND), { watchedForMs: 5 * MINUTE })).toEqual([]);
    expect(judge(silentSince(SECOND), { watchedForMs: 5 * MINUTE + 1 })).toEqual(['stop idle']);
  });

  test('is not, when a look just found work', () => {
    const memory = watched(facts(silentSince(SECOND)), HOUR);
    expect(judge({ ...silentSince(SECOND), ...claimedFor(SECOND) }, { memory })).toEqual([]);
    expect(judge({ ...silentSince(SECOND), ...due(NOW) }, { memory })).toEqual([]);
  });

  test('is not, where the last look found work', () => {
    const memory = watched(facts({ ...silentSince(SECOND), ...due(NOW - HOUR) }), HOUR);
    expect(judge(silentSince(SECOND), { memory })).toEqual([]);
  });
});

describe('F34: rounds in which stops for staleness wait', () => {
  const stuck = { ...silentSince(11 * MINUTE), ...claimedFor(2 * MINUTE) };

  test.each(['mass_stale', 'late_round', 'clock_jump', 'between_rounds'] as const)(
    'because of %s',
    (stalenessWaits) => {
      const context = { stalenessWaits };
      expect(judge(stuck, { context })).toEqual(['wait staleness_waits']);
      expect(judge({ ...silentSince(31 * MINUTE), ...due(NOW) }, { context })).toEqual(['wait staleness_waits']);
    },
  );

  test('other stops do not wait', () => {
    const context = { stalenessWaits: 'mass_stale' as const };
    expect(judge(stuck, { context, policy: { turnTimeoutMs: MINUTE } })).toEqual(['stop turn_timeout']);
  });
});

describe('what an operator is told of a stop', () => {
  const stuck = { ...silentSince(660_000), ...claimedFor(120_000) };
  const alive = silentSince(SECOND);
  const slow = { ...alive, containerState: state({ progressAtMs: NOW - 2_400_000 }) };
  const inTime = { policy: { turnTimeoutMs: 20 * MINUTE } };

  test.each<[string, string, Partial<FilesFacts>, Case]>([
    ['stale_and_stuck', 'no heartbeat for 660000 ms, message m1 claimed 120000 ms ago', stuck, {}],
    ['ceiling', 'no heartbeat for 1860000 ms', { ...silentSince(1_860_000), ...due(NOW) }, {}],
    ['turn_timeout', 'message m1 claimed 1260000 ms ago', { ...alive, ...claimedFor(1_260_000) }, inTime],
    ['no_progress', 'no progress on message m1 for 2400000 ms', { ...slow, ...claimedFor(HOUR) }, {}],
    [
      'not_claiming',
      'alive, and a message is due and unclaimed for 301000 ms',
      { ...alive, ...due(NOW - 301_000) },
      {},
    ],
    ['idle', 'nothing to do for 302000 ms', alive, { watchedForMs: 302_000 }],
  ])('for %s: %s', (reason, detail, over, rest) => {
    expect(verdict(over, rest)).toEqual([{ kind: 'stop', reason, detail }]);
  });

  test('the first of several messages that were claimed at once', () => {
    const at = { atMs: NOW - 1_260_000 };
    const claims = { acked: [acked(at), acked(at, { id: idOf('m2') })] };
    expect(verdict({ ...alive, ...claims }, inTime)).toMatchObject([{ detail: 'message m1 claimed 1260000 ms ago' }]);
  });

  test('that has to wait: why, and what for', () => {
    expect(verdict(stuck, { context: { stalenessWaits: 'mass_stale' } })).toEqual([
      {
        kind: 'wait',
        reason: 'staleness_waits',
        untilMs: null,
        detail: 'mass_stale: stale_and_stuck: no heartbeat for 660000 ms, message m1 claimed 120000 ms ago',
      },
    ]);
  });
});

describe('a stale container, as the round counts them', () => {
  test('is told by the same rule as the stop', () => {
    const memory = watched(facts(silentSince(11 * MINUTE)), HOUR);
    expect(isStale(memory, running(), POLICY, CONTEXT)).toBe(true);
    expect(isStale(memory, running(), POLICY, { ...CONTEXT, nowMs: NOW - MINUTE })).toBe(false);
  });

  test('is never one within the grace of its start', () => {
    const container = running({ startedAtMs: NOW - MINUTE });
    const memory = watched(facts(), HOUR, container);
    expect(isStale(memory, container, { ...POLICY, staleThresholdMs: 1 }, CONTEXT)).toBe(false);
  });
});
