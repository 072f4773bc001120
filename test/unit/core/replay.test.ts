import { describe, expect, it } from 'vitest';
import type { ReplayFacts } from '../../../src/core/facts.js';
import { planReplay } from '../../../src/core/plan/replay.js';
import { planSession } from '../../../src/core/plan/plan-session.js';
import { ack, CONTEXT, facts, foreign, idOf, message, NOW, observe, only, POLICY, running, said } from './builders.js';
import type { AckSpec } from './builders.js';

const DEAD = message({ status: 'failed', attempt: 5, tries: 5, deferrals: 3 });

function requested(over: Partial<ReplayFacts> = {}): ReplayFacts {
  return { id: idOf('m1'), attempt: 5, message: DEAD, ack: null, ...over };
}

function plan(replay: ReplayFacts, noneRuns = false) {
  return planReplay({ replays: [replay] }, noneRuns, NOW);
}

const ours = (over: AckSpec = {}) => ack({ status: 'failed', attempt: 5, ...over });
const theirs = (over: AckSpec = {}) => ack(foreign({ status: 'failed', ...over }));

describe('a replay that was asked for', () => {
  it.each([
    ['no ack', null],
    ["our runner's ack of the attempt that ended", ours()],
    ["our runner's claim of it that was left behind", ours({ status: 'processing' })],
  ])('with %s is done at once, a container running or not', (_what, found) => {
    for (const noneRuns of [true, false]) {
      const { actions, rearmWaits } = plan(requested({ ack: found }), noneRuns);
      expect(said(actions)).toEqual(['replay requested']);
      expect(only(actions, 'replay')).toMatchObject([{ by: 'operator', dropAck: false, dueAtMs: NOW }]);
      expect(rearmWaits).toBe(false);
    }
  });

  it('makes a new attempt that is as good as never tried, and no part of its series', () => {
    const [replay] = only(plan(requested({ message: { ...DEAD, recurrence: '0 9 * * *' } })).actions, 'replay');
    expect(replay?.change).toEqual({
      id: 'm1',
      expect: { attempt: 5, tries: 5, status: 'failed' },
      set: {
        status: 'pending',
        attempt: 6,
        tries: 0,
        deferrals: 0,
        processAfterMs: NOW,
        settledClaim: null,
        error: null,
        errorClass: null,
        finishedAtMs: null,
        purgedAtMs: null,
        recurrence: null,
      },
    });
  });

  it('is above the attempt that the operator saw, even where the file knows of fewer', () => {
    const [replay] = only(plan(requested({ message: { ...DEAD, attempt: 2 } })).actions, 'replay');
    expect(replay?.change).toMatchObject({ expect: { attempt: 2 }, set: { attempt: 6 } });
  });

  it.each([
    ['not_dead', requested({ message: null })],
    ['newer_attempt', requested({ message: { ...DEAD, attempt: 6 } })],
  ])('is dropped as %s where it has been done, or died anew', (reason, replay) => {
    expect(plan(replay)).toEqual({
      actions: [{ kind: 'drop_replay', reason, messageId: 'm1', attempt: 5 }],
      rearmWaits: false,
    });
  });

  it.each(['failed', 'completed'] as const)("waits with a foreign runner's %s ack until none runs", (status) => {
    const replay = requested({ ack: theirs({ status }) });
    expect(plan(replay, false)).toEqual({ actions: [], rearmWaits: true });
    const { actions, rearmWaits } = plan(replay, true);
    expect(only(actions, 'replay')).toMatchObject([{ dropAck: true }]);
    expect(rearmWaits).toBe(false);
  });

  it("has a foreign runner's claim forgotten first", () => {
    const claim = theirs({ status: 'processing' });
    expect(plan(requested({ ack: claim }), false).rearmWaits).toBe(true);
    const { actions } = plan(requested({ ack: claim }), true);
    expect(said(actions)).toEqual(['forget before_replay']);
    expect(only(actions, 'forget')[0]?.claim).toMatchObject({ messageId: 'm1', attempt: null });
  });
});

describe('a session with a replay', () => {
  const all = (
    replay: ReplayFacts,
    over: Parameters<typeof observe>[1] = {},
    more: Partial<ReturnType<typeof facts>> = {},
  ) => planSession(observe(facts({ replays: [replay], ...more }), over), POLICY, CONTEXT);

  it('is woken by it in the same look', () => {
    const actions = all(requested({ ack: ours() }));
    expect(said(actions)).toEqual(['replay requested', 'wake due']);
    expect(only(actions, 'wake')).toMatchObject([{ dueSinceMs: NOW }]);
  });

  it('is left alone where nothing is dead any more', () => {
    expect(said(all(requested({ message: null })))).toEqual(['drop_replay not_dead']);
  });

  it('is not woken by a message that wakes none', () => {
    expect(said(all(requested({ message: { ...DEAD, trigger: false } })))).toEqual(['replay requested']);
  });

  it('has its idle container recycled where a foreign ack is in the way', () => {
    const actions = all(requested({ ack: theirs() }), { container: running() });
    expect(said(actions)).toEqual(['stop recycled']);
  });

  it('names a stray claim once, and forgets the others as ever', () => {
    const claim = theirs({ status: 'processing' });
    const other = ack(foreign({ messageId: idOf('m2') }));
    const actions = all(requested({ ack: claim }), {}, { strayClaims: [claim, other] });
    expect(said(actions)).toEqual(['forget no_such_message', 'forget before_replay']);
  });

  it('waits where it is held, and nothing of the guard is cleared', () => {
    const guard = {
      ...{ fruitless: 0, notBeforeMs: 0, settledFailures: 3, oomKills: 0 },
      ...{ heldSinceMs: NOW - 1_000, holdReason: 'settled_failures' as const, nextProbeAtMs: null },
    };
    expect(said(all(requested(), { guard }))).toEqual(['replay requested', 'wait held']);
  });
});
