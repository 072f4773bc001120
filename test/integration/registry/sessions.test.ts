import { expect, test } from 'vitest';
import { address, created, epoch, incoming, look, openedRegistry } from './fixture.js';

const DEMO = address('demo/first');

test('L2: creating an existing session fills only what is empty', () => {
  const registry = openedRegistry();
  const base = { address: DEMO, createdAtMs: 500, provider: null, image: null, command: null };
  expect(registry.createSession({ ...base, provider: 'echo' })).toBe('created');
  const later = { ...base, createdAtMs: 900, provider: 'command', image: 'i', command: ['sh', '-c', 'a b'] };
  expect(registry.createSession(later)).toBe('exists');
  expect(registry.createSession({ ...base, image: 'other', command: [] })).toBe('exists');
  expect(registry.findSession(DEMO)).toMatchObject({
    createdAtMs: 500,
    provider: 'echo',
    image: 'i',
    command: ['sh', '-c', 'a b'],
  });
});

test('a session that differs only in case is refused', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  expect(() => {
    created(registry, 'demo/FIRST');
  }).toThrow(expect.objectContaining({ code: 'refused' }));
});

test('status, pin and quarantine are kept, a reopened session forgets why it was closed', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  registry.setPinned(DEMO, true);
  registry.setQuarantine(DEMO, { file: 'outbound.db', detail: 'a link', sinceMs: 7 });
  registry.setStatus(DEMO, 'closed', 9, 'idle');
  expect(registry.findSession(DEMO)).toMatchObject({
    status: 'closed',
    closedAtMs: 9,
    closeReason: 'idle',
    pinned: true,
    quarantine: { file: 'outbound.db', detail: 'a link', sinceMs: 7 },
  });
  expect(registry.totals().sessions).toEqual({ active: 0, suspended: 0, closed: 1, held: 0, quarantined: 1 });
  registry.setStatus(DEMO, 'active', 10, 'operator');
  registry.setQuarantine(DEMO, null);
  registry.setPinned(DEMO, false);
  expect(registry.findSession(DEMO)).toMatchObject({ closedAtMs: null, closeReason: null, quarantine: null });
});

test('changing a session that is not there says so', () => {
  const registry = openedRegistry();
  const notFound = expect.objectContaining({ code: 'not_found' }) as Error;
  expect(() => {
    registry.setStatus(DEMO, 'closed', 1, null);
  }).toThrow(notFound);
  expect(() => {
    registry.setPinned(DEMO, true);
  }).toThrow(notFound);
  expect(() => {
    registry.setQuarantine(DEMO, null);
  }).toThrow(notFound);
  registry.recordLook(DEMO, look());
  registry.lowerNextDue(DEMO, 1);
  expect(registry.findSession(DEMO)).toBeUndefined();
});

test('a look records what it found; activity never goes back', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  const counts = { pending: 1, processing: 2, completed: 3, failed: 4, paused: 5 };
  registry.recordLook(DEMO, look({ counts, nextDueAtMs: 70, signature: 's', lastActiveMs: 60 }));
  expect(registry.findSession(DEMO)).toMatchObject({ counts, nextDueAtMs: 70, signature: 's', lastActiveMs: 60 });
  registry.recordLook(DEMO, look({ lastActiveMs: 50 }));
  expect(registry.findSession(DEMO)).toMatchObject({ nextDueAtMs: null, signature: null, lastActiveMs: 60 });
  expect(registry.totals().messages).toEqual({
    spooled: 0,
    pending: 0,
    processing: 0,
    completed: 0,
    failed: 0,
    paused: 0,
  });
});

test('all sessions are listed in address order, also while rows come and go', () => {
  const registry = openedRegistry();
  const names = Array.from({ length: 1_200 }, (_, n) => `g/s${String(n).padStart(4, '0')}`);
  created(registry, ...names.toReversed());
  const seen: string[] = [];
  for (const record of registry.eachSession()) {
    seen.push(record.address);
    if (seen.length === 10) registry.deleteSession(address('g/s1100'), 1_000);
    registry.setPinned(record.address, true);
  }
  expect(seen).toEqual(names.filter((name) => name !== 'g/s1100'));
});

test('deleting a session takes all that depends on it, and nothing else', () => {
  const registry = openedRegistry();
  for (const name of ['demo/first', 'demo/second']) {
    registry.accept(incoming(name, 'a'));
    registry.saveGuard(address(name), { ...registry.guard(address(name)), heldSinceMs: 5 });
    registry.beginIncarnation(address(name), { atLeast: epoch(0), specHash: 'h', atMs: 1, answersMark: 0 });
    registry.raise({ kind: 'held', session: address(name), text: 't', atMs: 1 });
  }
  registry.setQuarantine(DEMO, { file: 'outbound.db', detail: 'a link', sinceMs: 7 });
  registry.deleteSession(DEMO, 1_000);
  expect(registry.findSession(DEMO)).toBeUndefined();
  expect(registry.spooled(DEMO, 10)).toEqual([]);
  expect(registry.guard(DEMO).heldSinceMs).toBeNull();
  expect(registry.openIncarnations().map(({ session }) => session)).toEqual(['demo/second']);
  expect(registry.openNotices(10).map(({ session }) => session)).toEqual(['demo/second']);
  expect(registry.totals()).toMatchObject({
    sessions: { active: 1, held: 1, quarantined: 0 },
    messages: { spooled: 1 },
  });
  expect(registry.accept(incoming('demo/first', 'a', { kind: 'task' }))).toEqual({ kind: 'accepted' });
});

test('facts are kept by key', () => {
  const registry = openedRegistry();
  expect(registry.readFact('runtime')).toBeUndefined();
  registry.writeFact('runtime', '"docker"');
  registry.writeFact('runtime', '"process"');
  expect(registry.readFact('runtime')).toBe('"process"');
});
