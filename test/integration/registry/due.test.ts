import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { DUE_BETWEEN, DUE_SESSIONS, NEXT_DUE_AFTER, TOTALS } from '../../../src/store/registry/due.js';
import { address, created, incoming, look, messageId, openedRegistry, temporaryDir } from './fixture.js';

const NOW = 10_000;

test('due are: active with a due time that has come, spooled ones, claims of any status; not the quarantined', () => {
  const registry = openedRegistry();
  created(registry, 'g/due', 'g/later', 'g/idle', 'g/suspended', 'g/closed', 'g/claimed', 'g/closed-claimed', 'g/bad');
  for (const name of ['g/due', 'g/suspended', 'g/closed', 'g/bad']) registry.lowerNextDue(address(name), NOW);
  registry.lowerNextDue(address('g/later'), NOW + 1);
  for (const name of ['g/claimed', 'g/closed-claimed']) {
    registry.recordLook(address(name), look({ counts: { processing: 1 } }));
  }
  registry.accept(incoming('g/spooled', 'a', { processAfterMs: NOW + 5 }));
  registry.accept(incoming('g/untriggered', 'a', { trigger: false }));
  registry.accept(incoming('g/suspended-spooled', 'a'));
  registry.accept(incoming('g/closed-spooled', 'a'));
  registry.setStatus(address('g/suspended'), 'suspended', 1, null);
  registry.setStatus(address('g/suspended-spooled'), 'suspended', 1, null);
  for (const name of ['g/closed', 'g/closed-claimed', 'g/closed-spooled']) {
    registry.setStatus(address(name), 'closed', 1, null);
  }
  registry.setQuarantine(address('g/bad'), { file: 'inbound.db', detail: 'd', sinceMs: 1 });

  expect(registry.dueSessions(NOW, 100)).toEqual([
    'g/claimed',
    'g/closed-claimed',
    'g/untriggered',
    'g/suspended-spooled',
    'g/due',
    'g/spooled',
  ]);
  expect(registry.dueSessions(NOW, 3)).toEqual(['g/claimed', 'g/closed-claimed', 'g/untriggered']);
});

test('the longest due come first', () => {
  const registry = openedRegistry();
  created(registry, 'g/a', 'g/b', 'g/c');
  registry.lowerNextDue(address('g/a'), 30);
  registry.lowerNextDue(address('g/b'), 10);
  registry.lowerNextDue(address('g/c'), 20);
  registry.accept(incoming('g/a', 'm', { processAfterMs: 15 }));
  expect(registry.dueSessions(NOW, 100)).toEqual(['g/b', 'g/a', 'g/c']);
  expect(registry.dueSessions(NOW, 2)).toEqual(['g/b', 'g/a']);
});

test('the next due time is that of an active session, after now', () => {
  const registry = openedRegistry();
  created(registry, 'g/a', 'g/b', 'g/c', 'g/d');
  expect(registry.nextDueAfter(0)).toBeUndefined();
  registry.lowerNextDue(address('g/a'), 10);
  registry.lowerNextDue(address('g/b'), 20);
  registry.lowerNextDue(address('g/c'), 15);
  registry.lowerNextDue(address('g/d'), 17);
  registry.setStatus(address('g/c'), 'suspended', 1, null);
  registry.setQuarantine(address('g/d'), { file: 'inbound.db', detail: 'd', sinceMs: 1 });
  expect(registry.nextDueAfter(9)).toBe(10);
  expect(registry.nextDueAfter(10)).toBe(20);
  expect(registry.nextDueAfter(20)).toBeUndefined();
  expect(registry.dueBetween(10, 20, 10)).toEqual(['g/b']);
  expect(registry.dueBetween(9, 20, 1)).toEqual(['g/a']);
});

test('a due time is only ever lowered by a hint, and set by a look', () => {
  const registry = openedRegistry();
  created(registry, 'g/a');
  const dueAt = () => registry.findSession(address('g/a'))?.nextDueAtMs;
  registry.lowerNextDue(address('g/a'), 20);
  registry.lowerNextDue(address('g/a'), 30);
  expect(dueAt()).toBe(20);
  registry.recordLook(address('g/a'), look({ nextDueAtMs: 40 }));
  expect(dueAt()).toBe(40);
});

test('a hint that comes during a look is not lost', () => {
  const registry = openedRegistry();
  const session = address('g/a');
  created(registry, 'g/a');
  registry.lowerNextDue(session, 20);
  const before = registry.findSession(session);
  // As early as what is known already: still the look must not raise it.
  registry.lowerNextDue(session, 20);
  registry.recordLook(session, look({ dueMark: before?.dueMark }));
  expect(registry.findSession(session)?.nextDueAtMs).toBe(20);
  registry.recordLook(session, look({ dueMark: registry.findSession(session)?.dueMark }));
  expect(registry.findSession(session)?.nextDueAtMs).toBeNull();
});

test('a message accepted during a look is due once it leaves the spool, whatever the look found', () => {
  const registry = openedRegistry();
  const session = address('g/a');
  registry.accept(incoming('g/a', 'm1', { processAfterMs: 50 }));
  registry.accept(incoming('g/a', 'm2', { processAfterMs: 40 }));
  registry.accept(incoming('g/a', 'm3', { processAfterMs: 30, trigger: false }));
  registry.recordLook(session, look());
  expect(registry.dueSessions(NOW, 10)).toEqual([session]);
  registry.unspool(session, [messageId('m1'), messageId('m2'), messageId('m3')]);
  expect(registry.findSession(session)?.nextDueAtMs).toBe(40);
});

test('the drift check goes round all sessions that are neither closed nor quarantined', () => {
  const registry = openedRegistry();
  created(registry, 'g/a', 'g/b', 'g/c', 'g/d', 'g/e');
  registry.recordLook(address('g/a'), look({ signature: 'sig' }));
  registry.setStatus(address('g/b'), 'closed', 1, null);
  registry.setStatus(address('g/c'), 'suspended', 1, null);
  registry.setQuarantine(address('g/d'), { file: 'inbound.db', detail: 'd', sinceMs: 1 });
  const first = registry.slice(undefined, 2);
  expect(first).toEqual([
    { session: 'g/a', signature: 'sig' },
    { session: 'g/c', signature: null },
  ]);
  expect(registry.slice(address('g/c'), 2)).toEqual([{ session: 'g/e', signature: null }]);
  expect(registry.slice(address('g/e'), 2)).toEqual([]);
});

test('with 100,000 sessions no question of the round reads them all', () => {
  const dataDir = temporaryDir();
  const registry = openedRegistry(dataDir);
  const { accepted } = registry.acceptAll(
    Array.from({ length: 100_000 }, (_, n) => incoming(`g${n % 50}/s${n}`, 'a', { processAfterMs: n })),
  );
  expect(accepted).toBe(100_000);
  expect(registry.totals()).toMatchObject({ sessions: { active: 100_000 }, messages: { spooled: 100_000 } });
  expect(registry.dueSessions(999_999, 3)).toEqual(['g0/s0', 'g1/s1', 'g2/s2']);
  const pages = [...registry.eachDue(999_999)];
  expect(Math.max(...pages.map((page) => page.length))).toBeLessThanOrEqual(1_000);
  expect(pages.flat()).toEqual(registry.dueSessions(999_999, 200_000));

  const db = new Database(join(dataDir, 'registry.db'), { readonly: true });
  onTestFinished(() => {
    db.close();
  });
  const plan = (sql: string, parameters: object) =>
    (db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(parameters) as { readonly detail: string }[])
      .map(({ detail }) => detail)
      .filter((detail) => /\b(sessions|guards)\b/.test(detail));
  const partial = /USING (COVERING )?INDEX (sessions_due|sessions_claimed|sessions_spooled|guards_held)\b/;
  const questions = [
    plan(DUE_SESSIONS, { now: NOW, limit: 10, afterAt: -1, afterAddress: '' }),
    plan(DUE_BETWEEN, { after: 0, until: NOW, limit: 10 }),
    plan(NEXT_DUE_AFTER.replace('?', '@now'), { now: NOW }),
    plan(TOTALS, {}),
  ];
  expect(questions.map((lines) => lines.length)).toEqual([3, 1, 1, 1]);
  for (const line of questions.flat()) expect(line).toMatch(partial);
}, 300_000);
