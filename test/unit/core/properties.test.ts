import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AckRow, MessageRow } from '../../../src/protocol/rows.js';
import type { FilesFacts } from '../../../src/core/facts.js';
import { freshGuard } from '../../../src/core/guard.js';
import { noteLook } from '../../../src/core/memory.js';
import type {
  ContainerFacts,
  FilesObservation,
  PassContext,
  SessionObservation,
} from '../../../src/core/observation.js';
import { planSession } from '../../../src/core/plan/plan-session.js';
import type { StopReason } from '../../../src/core/reasons.js';
import {
  acked,
  DAY,
  facts,
  HOUR,
  idOf,
  MINUTE,
  MONOTONIC,
  NOW,
  only,
  POLICY,
  running,
  said,
  state,
} from './builders.js';
import { SessionModel } from './session-model.js';
import type { Crash } from './session-model.js';

const age = fc.integer({ min: -DAY, max: DAY });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const crash = fc.constantFrom<Crash>('before', 'after_inbound', 'after_outbound', 'never');
const byHost = fc.constantFrom<StopReason>('idle', 'drained', 'recycled', 'engine_restart');

const someAck = fc.record({
  status: fc.constantFrom<AckRow['status']>('processing', 'completed', 'failed'),
  atMs: age.map((ms) => NOW - ms),
  attempt: maybe(fc.nat(3)),
  incarnation: maybe(fc.integer({ min: 5, max: 9 })),
  errorClass: fc.constantFrom<AckRow['errorClass']>(null, 'retryable', 'rate_limited', 'fatal'),
});
const someMessage = fc.record({
  tries: fc.nat(5),
  attempt: fc.nat(3),
  trigger: fc.boolean(),
  status: fc.constantFrom<MessageRow['status']>('pending', 'paused'),
});
const OPEN = { kind: 'open' } as const;
const WITHIN = { kind: 'within' } as const;
const someFacts: fc.Arbitrary<FilesFacts> = fc
  .record({
    rows: fc.array(fc.tuple(someAck, someMessage), { maxLength: 4 }),
    heartbeatAgeMs: maybe(age),
    dueAgeMs: maybe(fc.nat(DAY)),
    tool: maybe(fc.record({ timeoutMs: maybe(fc.integer({ min: -1, max: 10 * DAY })), ageMs: maybe(age) })),
    intervalMs: maybe(fc.nat(HOUR)),
    progressAgeMs: maybe(age),
  })
  .map(({ rows, heartbeatAgeMs, dueAgeMs, tool, intervalMs, progressAgeMs }) =>
    facts({
      acked: rows.map(([row, over], index) => acked(row, { ...over, id: idOf(`m${index}`) })),
      heartbeatMtimeMs: heartbeatAgeMs === null ? null : NOW - heartbeatAgeMs,
      due: {
        dueCount: dueAgeMs === null ? 0 : 1,
        oldestDueAtMs: dueAgeMs === null ? null : NOW - dueAgeMs,
        nextDueAtMs: null,
      },
      containerState: state({
        currentTool: tool === null ? null : 'bash',
        toolDeclaredTimeoutMs: tool?.timeoutMs ?? null,
        toolStartedAtMs: typeof tool?.ageMs === 'number' ? NOW - tool.ageMs : null,
        heartbeatIntervalMs: intervalMs,
        progressAtMs: progressAgeMs === null ? null : NOW - progressAgeMs,
      }),
    }),
  );

const someContainer = fc.oneof(
  fc.constantFrom<ContainerFacts>({ kind: 'none' }, { kind: 'unknown' }, { kind: 'in_flight' }),
  fc
    .record({ ageMs: age, outdated: fc.boolean() })
    .map(({ ageMs, outdated }) => running({ startedAtMs: NOW - ageMs, outdated })),
);
const someContext = fc.record<PassContext>({
  nowMs: fc.constant(NOW),
  monotonicMs: fc.constant(MONOTONIC),
  stalenessWaits: fc.constantFrom<PassContext['stalenessWaits']>(null, 'mass_stale'),
});
const someObservation: fc.Arbitrary<SessionObservation> = fc
  .record({
    found: someFacts,
    container: someContainer,
    firstLookAgeMs: fc.nat(DAY),
    status: fc.constantFrom<SessionObservation['status']>('active', 'active', 'suspended', 'closed'),
    rare: fc.record({
      quarantined: fc.boolean(),
      blocked: fc.boolean(),
      draining: fc.boolean(),
      leftBehind: fc.boolean(),
      budget: fc.constantFrom<SessionObservation['budget']>(WITHIN, { kind: 'spent', untilMs: NOW + HOUR, detail: '' }),
      gate: fc.constantFrom<SessionObservation['gate']>({ kind: 'probe' }, { kind: 'limited', untilMs: NOW + HOUR }),
    }),
    calm: fc.boolean(),
    unreadable: maybe(
      fc.constantFrom<FilesObservation>(
        { kind: 'unread' },
        { kind: 'busy', forMs: HOUR, detail: 'locked' },
        { kind: 'hostile', file: 'outbound.db', detail: 'link' },
        { kind: 'corrupt', file: 'outbound.db', detail: 'NOTADB' },
      ),
    ),
    lastEnd: maybe(fc.record({ stopReason: maybe(byHost) })),
    heldSinceMs: maybe(fc.constant(NOW - HOUR)),
  })
  .map(({ found, container, firstLookAgeMs, status, rare, calm, unreadable, lastEnd, heldSinceMs }) => {
    const own = container.kind === 'running' ? container : running({ epoch: 0 });
    const first = noteLook(undefined, found, own, NOW - firstLookAgeMs, MONOTONIC - firstLookAgeMs);
    const memory = noteLook(first, found, own, NOW, MONOTONIC);
    const quiet = {
      quarantined: false,
      blocked: false,
      draining: false,
      leftBehind: false,
      gate: OPEN,
      budget: WITHIN,
    };
    return {
      status,
      ...(calm ? quiet : rare),
      guard: { ...freshGuard(), heldSinceMs },
      epoch: 7,
      lastEnd,
      container,
      files: (calm ? null : unreadable) ?? { kind: 'read', facts: found, memory },
    };
  });

describe('whatever is observed', () => {
  test('the same observation gives the same plan', () => {
    fc.assert(
      fc.property(someObservation, someContext, (observation, context) => {
        const copy = structuredClone(observation);
        expect(planSession(copy, POLICY, context)).toEqual(planSession(observation, POLICY, context));
        expect(copy, 'and is not changed by it').toEqual(observation);
      }),
    );
  });

  test('nothing is woken and stopped at once, nor woken or settled beside a container', () => {
    fc.assert(
      fc.property(someObservation, someContext, (observation, context) => {
        const actions = planSession(observation, POLICY, context);
        const [wakes, stops] = [only(actions, 'wake'), only(actions, 'stop')];
        expect(wakes.length + stops.length).toBeLessThanOrEqual(1);
        if (stops.length > 0) expect(observation.container.kind).toBe('running');
        if (observation.container.kind === 'none') return;
        expect(wakes).toEqual([]);
        expect(actions.filter((action) => 'claim' in action && action.claim !== null)).toEqual([]);
        expect(actions.filter((action) => 'dropAck' in action && action.dropAck)).toEqual([]);
      }),
    );
  });

  test('F8: what a container called failed is never completed', () => {
    fc.assert(
      fc.property(someObservation, someContext, (observation, context) => {
        if (observation.files.kind !== 'read') return;
        const failed = observation.files.facts.acked
          .filter(({ ack }) => ack.status !== 'completed')
          .map(({ message: { id } }) => id);
        for (const { messageId } of only(planSession(observation, POLICY, context), 'complete')) {
          expect(failed).not.toContain(messageId);
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('F3, F15, F23: an active container is never stopped for cause while it beats and no turn is past its limits', () => {
  const working = fc.record({
    found: someFacts,
    beatAgeMs: fc.nat(MINUTE),
    ageMs: fc.integer({ min: 0, max: DAY }),
    firstLookAgeMs: fc.nat(DAY),
    claimAgeMs: fc.nat(DAY),
  });
  fc.assert(
    fc.property(working, ({ found, beatAgeMs, ageMs, firstLookAgeMs, claimAgeMs }) => {
      const container = running({ startedAtMs: NOW - ageMs });
      const claim = acked({ atMs: NOW - Math.min(claimAgeMs, ageMs), attempt: 0, incarnation: 7 });
      const first: FilesFacts = { ...found, acked: [claim], heartbeatMtimeMs: NOW - firstLookAgeMs - beatAgeMs };
      const last: FilesFacts = { ...first, heartbeatMtimeMs: NOW - beatAgeMs };
      const before = noteLook(undefined, first, container, NOW - firstLookAgeMs, MONOTONIC - firstLookAgeMs);
      const memory = noteLook(before, last, container, NOW, MONOTONIC);
      const observation: SessionObservation = {
        status: 'active',
        quarantined: false,
        blocked: false,
        guard: freshGuard(),
        epoch: 7,
        lastEnd: null,
        container,
        files: { kind: 'read', facts: last, memory },
        draining: false,
        gate: OPEN,
        budget: WITHIN,
        leftBehind: false,
      };
      const policy = { ...POLICY, progressJudged: false };
      expect(planSession(observation, policy, { nowMs: NOW, monotonicMs: MONOTONIC, stalenessWaits: null })).toEqual(
        [],
      );
    }),
    { numRuns: 500 },
  );
});

/** What becomes of a turn, and how often the host dies while it takes that over. */
const someTurn = fc.record({
  end: fc.constantFrom('dies', 'dies', 'retryable', 'host'),
  crashes: fc.array(crash, { maxLength: 3 }),
  stop: byHost,
});
const someRunner = fc.record({ foreign: fc.boolean(), coarse: fc.boolean() });

describe('F7: turns that never end', () => {
  test('never more than MAX_TRIES + 1 of them, every one counted once, whenever the host dies', () => {
    const runs = fc.tuple(someRunner, fc.array(someTurn, { minLength: 30, maxLength: 40 }), fc.boolean());
    fc.assert(
      fc.property(runs, ([runner, turns, hasten]) => {
        const model = new SessionModel(['m1'], { ...runner, policy: { backoffBaseMs: hasten ? 1 : 5_000 } });
        for (const { end, crashes, stop } of turns) {
          if (model.message('m1').status !== 'pending') break;
          model.nowMs += hasten ? 64 : HOUR;
          const claimed = model.start();
          expect(claimed).toHaveLength(1);
          model.claim(claimed);
          if (end === 'retryable')
            claimed.forEach((row) => {
              model.end(row, { status: 'failed', errorClass: 'retryable' });
            });
          model.stopped({ stopReason: end === 'host' ? stop : null }, end === 'host');
          for (const when of crashes) model.look(when);
          if (model.acks.size > 0) model.look('never');
          const { tries, status } = model.message('m1');
          const counted = model.turns.get(idOf('m1'));
          expect(tries + (status === 'failed' ? 1 : 0)).toBe(counted);
          expect(counted).toBeLessThanOrEqual(POLICY.maxTries + 1);
          expect(model.facts().acked.filter(({ ack }) => ack.status === 'processing')).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a container that dies after every claim takes 6 turns, then is a dead letter', () => {
    const model = new SessionModel(['m1'], { foreign: false, coarse: true });
    const waitsMs: number[] = [];
    while (model.message('m1').status === 'pending') {
      model.nowMs = model.message('m1').processAfterMs ?? model.nowMs;
      model.claim(model.start());
      model.stopped({ stopReason: null }, false);
      model.look('never');
      waitsMs.push((model.message('m1').processAfterMs ?? 0) - model.nowMs);
    }
    expect(model.turns.get(idOf('m1'))).toBe(6);
    expect(waitsMs.slice(0, 5)).toEqual([5_000, 10_000, 20_000, 40_000, 80_000]);
    expect(model.message('m1')).toMatchObject({ status: 'failed', tries: 5 });
  });
});

test('a counted claim is never counted again, however often the host dies before the row is gone', () => {
  fc.assert(
    fc.property(
      someRunner,
      fc.array(fc.constantFrom<Crash>('before', 'after_inbound'), { minLength: 1, maxLength: 6 }),
      maybe(byHost),
      (runner, crashes, stop) => {
        const model = new SessionModel(['m1'], runner);
        model.claim(model.start());
        model.stopped({ stopReason: stop }, stop !== null);
        for (const when of [...crashes, 'after_outbound', 'never'] as const) {
          model.look(when);
          model.nowMs += HOUR;
        }
        expect(model.message('m1')).toMatchObject({ tries: stop === null ? 1 : 0, attempt: 1, settledClaim: null });
        expect(model.acks.size).toBe(0);
      },
    ),
  );
});

test('F36: one poison message does not take its batch along', () => {
  fc.assert(
    fc.property(someRunner, fc.nat(4), (runner, poison) => {
      const ids = ['m0', 'm1', 'm2', 'm3', 'm4'];
      const model = new SessionModel(ids, runner);
      for (let round = 0; round < 40; round += 1) {
        model.nowMs += HOUR;
        const claimed = model.start();
        model.claim(claimed);
        const isPoisoned = claimed.some(({ id }) => id === ids[poison]);
        if (!isPoisoned)
          claimed.forEach((row) => {
            model.end(row, { status: 'completed' });
          });
        model.stopped({ stopReason: null }, false);
        model.look('never');
      }
      const ended = ids.map((id) => model.message(id)).map(({ status, tries }) => `${status} ${tries}`);
      expect(ended).toEqual(ids.map((_, index) => (index === poison ? 'failed 5' : 'completed 1')));
    }),
  );
});

test('F15: silence is never exempt for ever, whatever a container wrote about itself', () => {
  fc.assert(
    fc.property(someFacts, age, (found, ageMs) => {
      const own = running({ startedAtMs: NOW - ageMs });
      let memory = noteLook(undefined, found, own, NOW, MONOTONIC);
      const later = 3 * HOUR;
      memory = noteLook(memory, found, own, NOW + later, MONOTONIC + later);
      const observation = {
        status: 'active',
        quarantined: false,
        blocked: false,
        guard: freshGuard(),
        epoch: 7,
      } as const;
      const actions = planSession(
        {
          ...observation,
          lastEnd: null,
          container: own,
          files: { kind: 'read', facts: found, memory },
          draining: false,
          gate: OPEN,
          budget: WITHIN,
          leftBehind: false,
        },
        POLICY,
        { nowMs: NOW + later, monotonicMs: MONOTONIC + later, stalenessWaits: null },
      );
      expect(said(only(actions, 'stop'))).toHaveLength(1);
    }),
    { numRuns: 300 },
  );
});
