import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openRegistry } from '../../../src/store/registry/open-registry.js';
import { address, incoming, look, messageId, temporaryDir } from './fixture.js';
import type { Registry, SessionStatus } from '../../../src/ports/registry.js';

/** What the registry should answer, said as simply as possible. */
interface Modelled {
  status: SessionStatus;
  quarantined: boolean;
  counts: { pending: number; processing: number; completed: number; failed: number; paused: number };
  /** Contents by id, ever accepted. */
  readonly known: Map<string, string>;
  readonly spool: string[];
}

type Step =
  | { readonly do: 'accept'; readonly session: string; readonly id: string; readonly content: string }
  | { readonly do: 'acceptAll'; readonly session: string; readonly ids: readonly string[]; readonly content: string }
  | { readonly do: 'unspool'; readonly session: string; readonly count: number }
  | { readonly do: 'status'; readonly session: string; readonly status: SessionStatus }
  | { readonly do: 'quarantine'; readonly session: string; readonly on: boolean }
  | { readonly do: 'look'; readonly session: string; readonly counts: Modelled['counts'] }
  | { readonly do: 'delete'; readonly session: string }
  | { readonly do: 'reopen' };

const session = fc.constantFrom('g/a', 'g/A', 'g/b', 'h/a');
const id = fc.constantFrom('m1', 'm2', 'm3', 'm4');
const content = fc.constantFrom('1', '1', '1', '2');
const some = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('accept' as const), session, id, content }) },
  fc.record({ do: fc.constant('acceptAll' as const), session, ids: fc.array(id, { maxLength: 4 }), content }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unspool' as const), session, count: some }) },
  fc.record({
    do: fc.constant('status' as const),
    session,
    status: fc.constantFrom<SessionStatus>('active', 'suspended', 'closed'),
  }),
  fc.record({ do: fc.constant('quarantine' as const), session, on: fc.boolean() }),
  fc.record({
    do: fc.constant('look' as const),
    session,
    counts: fc.record({ pending: some, processing: some, completed: some, failed: some, paused: some }),
  }),
  fc.record({ do: fc.constant('delete' as const), session }),
  fc.record({ do: fc.constant('reopen' as const) }),
);

class Model {
  readonly sessions = new Map<string, Modelled>();

  accept(name: string, messageName: string, text: string): string {
    const twin = [...this.sessions.keys()].find(
      (other) => other !== name && other.toLowerCase() === name.toLowerCase(),
    );
    if (twin !== undefined) return 'case_twin';
    const found = this.sessions.get(name);
    const known = found?.known.get(messageName);
    if (known !== undefined) return known === text ? 'duplicate' : 'conflict';
    if (found?.status === 'closed') return 'session_closed';
    const target = found ?? fresh();
    this.sessions.set(name, target);
    target.known.set(messageName, text);
    target.spool.push(messageName);
    return 'accepted';
  }
}

function fresh(): Modelled {
  return {
    status: 'active',
    quarantined: false,
    counts: { pending: 0, processing: 0, completed: 0, failed: 0, paused: 0 },
    known: new Map(),
    spool: [],
  };
}

test('whatever is accepted, unspooled, closed, deleted or reopened, spool, totals and due sessions are as a model says', () => {
  const dataDir = temporaryDir();
  let round = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      round += 1;
      const dir = `${dataDir}/${round}`;
      const model = new Model();
      let registry = openRegistry({ dataDir: dir, mode: 'write' });
      try {
        for (const one of steps) {
          if (one.do === 'reopen') {
            registry.close();
            registry = openRegistry({ dataDir: dir, mode: 'write' });
          } else apply(registry, model, one);
        }
        compare(registry, model);
      } finally {
        registry.close();
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);

function apply(registry: Registry, model: Model, one: Exclude<Step, { readonly do: 'reopen' }>): void {
  const target = address(one.session);
  const found = model.sessions.get(one.session);
  if (one.do === 'accept') {
    const result = registry.accept(incoming(one.session, one.id, { content: one.content }));
    expect(result.kind).toBe(model.accept(one.session, one.id, one.content));
  } else if (one.do === 'acceptAll') {
    const trial = copyOf(model);
    const expected = one.ids.map((messageName) => trial.accept(one.session, messageName, one.content));
    const isFine = expected.every((kind) => kind === 'accepted' || kind === 'duplicate');
    const result = registry.acceptAll(one.ids.map((name) => incoming(one.session, name, { content: one.content })));
    expect(result.refused.length === 0).toBe(isFine);
    expect(result.accepted).toBe(isFine ? expected.filter((kind) => kind === 'accepted').length : 0);
    if (isFine) for (const messageName of one.ids) model.accept(one.session, messageName, one.content);
  } else if (one.do === 'delete') {
    registry.deleteSession(target, 1_000);
    model.sessions.delete(one.session);
  } else if (found === undefined) {
    expect(registry.findSession(target)).toBeUndefined();
  } else if (one.do === 'unspool') {
    const gone = registry.spooled(target, one.count).map((message) => message.id);
    registry.unspool(target, gone);
    expect(gone).toEqual(found.spool.splice(0, one.count));
    // Pending until a look has counted.
    found.counts = { ...found.counts, pending: found.counts.pending + gone.length };
  } else if (one.do === 'status') {
    registry.setStatus(target, one.status, 1, null);
    found.status = one.status;
  } else if (one.do === 'quarantine') {
    registry.setQuarantine(target, one.on ? { file: 'f', detail: 'd', sinceMs: 1 } : null);
    found.quarantined = one.on;
  } else {
    registry.recordLook(target, look({ counts: one.counts }));
    found.counts = one.counts;
  }
}

function copyOf(model: Model): Model {
  const copy = new Model();
  for (const [name, one] of model.sessions) {
    copy.sessions.set(name, { ...one, known: new Map(one.known), spool: [...one.spool] });
  }
  return copy;
}

function compare(registry: Registry, model: Model): void {
  const all = [...model.sessions];
  const sum = (read: (one: Modelled) => number): number => all.reduce((total, [, one]) => total + read(one), 0);
  expect([...registry.eachSession()].map((record) => record.address)).toEqual(all.map(([name]) => name).toSorted());
  for (const [name, one] of all) {
    expect(registry.spooled(address(name), 100).map((message) => message.id)).toEqual(one.spool.map(messageId));
  }
  expect(registry.totals()).toEqual({
    sessions: {
      active: sum((one) => Number(one.status === 'active')),
      suspended: sum((one) => Number(one.status === 'suspended')),
      closed: sum((one) => Number(one.status === 'closed')),
      held: 0,
      quarantined: sum((one) => Number(one.quarantined)),
    },
    messages: {
      spooled: sum((one) => one.spool.length),
      pending: sum((one) => one.counts.pending),
      processing: sum((one) => one.counts.processing),
      completed: sum((one) => one.counts.completed),
      failed: sum((one) => one.counts.failed),
      paused: sum((one) => one.counts.paused),
    },
  });
  // Due times apart: those the model does not know. What must be looked at in any case is there, what must not is not.
  const due = registry.dueSessions(0, 100) as readonly string[];
  const isDue = (one: Modelled): boolean =>
    !one.quarantined && (one.counts.processing > 0 || (one.spool.length > 0 && one.status !== 'closed'));
  expect(due.toSorted()).toEqual(all.flatMap(([name, one]) => (isDue(one) ? [name] : [])).toSorted());
}
