import { describe, expect, test } from 'vitest';
import { planReconcile } from '../../../src/core/plan/reconcile.js';
import type { KnownSession, ListedContainer, ReconcileOptions } from '../../../src/core/plan/reconcile.js';
import { addressOf } from './builders.js';

const SESSION = addressOf('demo/first');

function listed(over: Partial<ListedContainer> = {}): ListedContainer {
  return { id: 'c1', install: 'ours', session: SESSION, epoch: 3, specHash: 'now', state: 'running', ...over };
}

function reconcile(
  containers: readonly ListedContainer[],
  known: Partial<KnownSession> | null = {},
  options: Partial<ReconcileOptions> = {},
): string[] {
  const sessions = new Map<typeof SESSION, KnownSession>(
    known === null ? [] : [[SESSION, { status: 'active', epoch: 3, specHash: 'now', inFlight: false, ...known }]],
  );
  const decided = planReconcile(containers, sessions, {
    install: 'ours',
    orphans: 'adopt',
    owned: new Set(),
    ...options,
  });
  return decided.map(({ container, kind, reason }) => `${container.id} ${kind} ${reason}`);
}

const OWNED = { owned: new Set(['c1']) };

describe('F5, F22: containers that carry our label', () => {
  test.each([
    ['one that a live session owns is adopted', listed(), {}, {}, 'adopt live_session'],
    ['so is a paused one', listed({ state: 'paused' }), {}, {}, 'adopt live_session'],
    ['so is one of a suspended session: its turn may end', listed(), { status: 'suspended' }, {}, 'adopt live_session'],
    ['so is one that a restored registry does not know yet', listed({ epoch: 9 }), {}, {}, 'adopt live_session'],
    ['one that was adopted is kept', listed(), {}, OWNED, 'keep owned'],
    ['one of a closed session is removed', listed(), { status: 'closed' }, {}, 'remove closed_session'],
    ['but not under the turn that it runs for this process', listed(), { status: 'closed' }, OWNED, 'keep owned'],
    ['one without a session is removed', listed(), null, {}, 'remove no_session'],
    ['so is one whose label is no address', listed({ session: undefined }), {}, {}, 'remove no_session'],
    ['one of an older incarnation is removed', listed({ epoch: 2 }), {}, {}, 'remove older_epoch'],
    ['one that never started is removed', listed({ state: 'created' }), {}, {}, 'remove never_started'],
    ['one that ended is harvested', listed({ state: 'exited', epoch: 2 }), {}, {}, 'harvest exited'],
    ['ORPHANS=remove adopts nothing', listed(), {}, { orphans: 'remove' }, 'remove orphans_remove'],
    ['ORPHANS=remove keeps what this process started', listed(), {}, { orphans: 'remove', ...OWNED }, 'keep owned'],
  ] as const)('%s', (_, container, known, options, expected) => {
    expect(reconcile([container], known, options)).toEqual([`c1 ${expected}`]);
  });

  test('what is in flight is spared, in whatever state', () => {
    const containers = [
      listed({ state: 'created' }),
      listed({ id: 'c2', epoch: 1 }),
      listed({ id: 'c3', state: 'exited' }),
    ];
    expect(reconcile(containers, { inFlight: true })).toEqual([
      'c1 keep in_flight',
      'c2 keep in_flight',
      'c3 keep in_flight',
    ]);
  });

  test('F20: the container that this process runs in is never touched', () => {
    expect(reconcile([listed({ session: undefined })], {}, { self: 'c1' })).toEqual(['c1 keep self']);
  });
});

describe('F19: what is not of this install', () => {
  test.each([
    ['of another one', 'theirs'],
    ['without a label', undefined],
  ])('is left alone, whatever state it is in: %s', (_, install) => {
    for (const state of ['created', 'running', 'paused', 'exited'] as const) {
      expect(reconcile([listed({ install, state })])).toEqual(['c1 keep foreign']);
      expect(reconcile([listed({ install, state })], null, { orphans: 'remove' })).toEqual(['c1 keep foreign']);
    }
  });

  test('is no rival of our own, however new', () => {
    const theirs = listed({ id: 'c0', install: 'theirs', epoch: 9 });
    expect(reconcile([theirs, listed()])).toEqual(['c0 keep foreign', 'c1 adopt live_session']);
  });
});

describe('F21, F39: an outdated container', () => {
  const old = listed({ specHash: 'yesterday' });

  test('is replaced when it is idle, never at once', () => {
    expect(reconcile([old])).toEqual(['c1 replace_when_idle outdated']);
    const sessions = new Map([[SESSION, { status: 'active', epoch: 3, specHash: 'now', inFlight: false } as const]]);
    const adopt = (owned: readonly string[]) =>
      planReconcile([old], sessions, { install: 'ours', orphans: 'adopt', owned: new Set(owned) });
    expect(adopt([])).toMatchObject([{ adopt: true }]);
    expect(adopt(['c1'])).toMatchObject([{ adopt: false }]);
  });

  test('is not told where the present spec is not known', () => {
    expect(reconcile([old], { specHash: null })).toEqual(['c1 adopt live_session']);
  });
});

describe('F5: two containers of one session', () => {
  test('the newest incarnation wins, in whatever order', () => {
    const [older, newer] = [listed({ id: 'c1' }), listed({ id: 'c2', epoch: 4 })];
    expect(reconcile([older, newer])).toEqual(['c1 remove older_epoch', 'c2 adopt live_session']);
    expect(reconcile([newer, older])).toEqual(['c2 adopt live_session', 'c1 remove older_epoch']);
  });

  test('of one incarnation the owned one stays, else the first by id', () => {
    const [one, two] = [listed({ id: 'c1' }), listed({ id: 'c2' })];
    expect(reconcile([one, two], {}, { owned: new Set(['c2']) })).toEqual(['c1 remove duplicate', 'c2 keep owned']);
    expect(reconcile([two, one], {}, { owned: new Set(['c2']) })).toEqual(['c2 keep owned', 'c1 remove duplicate']);
    expect(reconcile([two, one])).toEqual(['c2 remove duplicate', 'c1 adopt live_session']);
  });

  test('a paused one competes: it may be resumed', () => {
    const containers = [listed(), listed({ id: 'c2', epoch: 4, state: 'paused' })];
    expect(reconcile(containers)).toEqual(['c1 remove older_epoch', 'c2 adopt live_session']);
  });

  test('those of other sessions do not compete, whatever their incarnations', () => {
    const other = addressOf('demo/second');
    const sessions = new Map(
      [SESSION, other].map((session) => [
        session,
        { status: 'active', epoch: 3, specHash: 'now', inFlight: false } as const,
      ]),
    );
    const containers = [listed({ id: 'c2' }), listed({ id: 'c1', session: other, epoch: 9 })];
    const decided = planReconcile(containers, sessions, { install: 'ours', orphans: 'adopt', owned: new Set() });
    expect(decided.map(({ kind }) => kind)).toEqual(['adopt', 'adopt']);
  });

  test('one that ended or never started does not compete', () => {
    const containers = [
      listed(),
      listed({ id: 'c2', epoch: 4, state: 'created' }),
      listed({ id: 'c3', epoch: 5, state: 'exited' }),
    ];
    expect(reconcile(containers)).toEqual(['c1 adopt live_session', 'c2 remove never_started', 'c3 harvest exited']);
  });
});
