import { expect, test } from 'vitest';
import { openRegistry } from '../../../src/store/registry/open-registry.js';
import { child } from './child.js';
import { address, created, incoming, message, messageId, openedRegistry, temporaryDir } from './fixture.js';
import { eventually } from '../../support/eventually.js';

const DEMO = address('demo/first');

test('an accepted message makes its session, waits in the spool and counts', () => {
  const registry = openedRegistry();
  expect(registry.accept(incoming('demo/first', 'a'))).toEqual({ kind: 'accepted' });
  expect(registry.spooled(DEMO, 10)).toEqual([message('a')]);
  expect(registry.findSession(DEMO)).toMatchObject({ status: 'active', nextDueAtMs: 1_000, lastActiveMs: 1_000 });
  expect(registry.totals()).toMatchObject({ sessions: { active: 1 }, messages: { spooled: 1, pending: 0 } });
});

test('every field of a message comes back from the spool as it went in', () => {
  const registry = openedRegistry();
  const full = message('a', {
    kind: 'task',
    processAfterMs: 9_007_199_254_740_991,
    trigger: false,
    onWake: true,
    content: '{"text":"\u{1F680} \\u0000"}',
    recurrence: '0 9 * * *',
    seriesId: 'daily',
    timezone: 'Europe/Berlin',
    occurrenceMs: 86_400_000,
  });
  registry.accept({ session: DEMO, message: full, acceptedAtMs: 5 });
  expect(registry.spooled(DEMO, 10)).toEqual([full]);
});

test('F24: the same id with the same content is one message, in the spool and after it left it', () => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  expect(registry.accept(incoming('demo/first', 'a', { timestampMs: 2_000 }))).toEqual({ kind: 'duplicate' });
  registry.unspool(DEMO, [messageId('a')]);
  expect(registry.accept(incoming('demo/first', 'a'))).toEqual({ kind: 'duplicate' });
  expect(registry.spooled(DEMO, 10)).toEqual([]);
});

test.each([
  ['content', { content: '{"text":"other"}' }],
  ['kind', { kind: 'task' }],
  ['processAfterMs', { processAfterMs: 7 }],
  ['trigger', { trigger: false }],
  ['onWake', { onWake: true }],
  ['recurrence', { recurrence: '* * * * *' }],
  ['seriesId', { seriesId: 's' }],
  ['timezone', { timezone: 'UTC' }],
  ['occurrenceMs', { occurrenceMs: 1 }],
])('F24: the same id with another %s is refused, and the first one stays', (_field, changes) => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  expect(registry.accept(incoming('demo/first', 'a', changes))).toEqual({ kind: 'conflict' });
  expect(registry.spooled(DEMO, 10)).toEqual([message('a')]);
});

test('the same id in another session is another message', () => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  expect(registry.accept(incoming('demo/second', 'a', { kind: 'task' }))).toEqual({ kind: 'accepted' });
});

test('an address that differs only in case is refused, and leaves nothing', () => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  expect(registry.accept(incoming('Demo/First', 'b'))).toEqual({ kind: 'case_twin', other: DEMO });
  expect(registry.findCaseTwin(address('DEMO/first'))).toBe(DEMO);
  expect(registry.findCaseTwin(DEMO)).toBeUndefined();
  expect([...registry.eachSession()].map((record) => record.address)).toEqual([DEMO]);
});

test('a closed session takes nothing new, but still knows what it took', () => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  registry.setStatus(DEMO, 'closed', 2_000, 'operator');
  expect(registry.accept(incoming('demo/first', 'b'))).toEqual({ kind: 'session_closed' });
  expect(registry.accept(incoming('demo/first', 'a'))).toEqual({ kind: 'duplicate' });
});

test('suspended and quarantined sessions accept: the message waits', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first', 'demo/second');
  registry.setStatus(DEMO, 'suspended', 1, null);
  registry.setQuarantine(address('demo/second'), { file: 'outbound.db', detail: 'a link', sinceMs: 1 });
  expect(registry.accept(incoming('demo/first', 'a'))).toEqual({ kind: 'accepted' });
  expect(registry.accept(incoming('demo/second', 'a'))).toEqual({ kind: 'accepted' });
});

test('a batch is accepted whole, duplicates within it counted', () => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  const batch = [incoming('demo/first', 'a'), incoming('demo/first', 'b'), incoming('demo/first', 'b')];
  expect(registry.acceptAll(batch)).toEqual({ refused: [], accepted: 1, duplicates: 2 });
});

test('of a batch with refusals nothing is stored, and every refusal is named', () => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  const batch = [
    incoming('demo/new', 'n'),
    incoming('demo/first', 'a', { kind: 'task' }),
    incoming('demo/first', 'b'),
    incoming('demo/NEW', 'n'),
    incoming('demo/first', 'b', { kind: 'task' }),
  ];
  expect(registry.acceptAll(batch)).toEqual({
    refused: [
      { index: 1, result: { kind: 'conflict' } },
      { index: 3, result: { kind: 'case_twin', other: 'demo/new' } },
      { index: 4, result: { kind: 'conflict' } },
    ],
    accepted: 0,
    duplicates: 0,
  });
  expect([...registry.eachSession()]).toHaveLength(1);
  expect(registry.spooled(DEMO, 10)).toEqual([message('a')]);
  expect(registry.totals().messages.spooled).toBe(1);
  expect(registry.accept(incoming('demo/new', 'n'))).toEqual({ kind: 'accepted' });
});

test('the spool keeps the order of acceptance, whatever the ids and due times', () => {
  const registry = openedRegistry();
  const ids = ['z', 'a', 'm', 'b'];
  ids.forEach((id, index) => registry.accept(incoming('demo/first', id, { processAfterMs: 1_000 - index })));
  registry.unspool(DEMO, [messageId('a')]);
  registry.accept(incoming('demo/first', 'c'));
  expect(registry.spooled(DEMO, 10).map(({ id }) => id)).toEqual(['z', 'm', 'b', 'c']);
  expect(registry.spooled(DEMO, 2).map(({ id }) => id)).toEqual(['z', 'm']);
});

test('unspool ignores what is not there', () => {
  const registry = openedRegistry();
  registry.accept(incoming('demo/first', 'a'));
  registry.unspool(DEMO, [messageId('x'), messageId('a'), messageId('a')]);
  registry.unspool(address('demo/nobody'), [messageId('a')]);
  expect(registry.totals().messages.spooled).toBe(0);
});

test('kill -9 in the middle of accepting loses nothing that was reported as accepted', async () => {
  const dataDir = temporaryDir();
  for (let round = 0; round < 3; round += 1) {
    const dir = `${dataDir}/${round}`;
    const loop = child('accept-loop.mjs', 'src/store/registry/open-registry.js', dir);
    await eventually('50 messages are accepted', () => loop.lines().length >= 50, { intervalMs: 1 });
    await loop.kill();
    const reported = loop.lines();
    const registry = openRegistry({ dataDir: dir, mode: 'write' });
    const kept = new Set(
      [...registry.eachSession()].flatMap(({ address: session }) =>
        registry.spooled(session, 1_000_000).map(({ id }) => `${session} ${id}`),
      ),
    );
    expect(reported.filter((line) => !kept.has(line))).toEqual([]);
    expect(registry.totals().messages.spooled).toBe(kept.size);
    registry.close();
  }
});

test('large messages leave the spool a few at a time, in order and each of them', () => {
  const registry = openedRegistry();
  const content = JSON.stringify({ text: 'x'.repeat(3 * 1024 * 1024) });
  const ids = ['a', 'b', 'c', 'd', 'e'];
  for (const id of ids) registry.accept(incoming('demo/first', id, { content }));
  const taken: string[][] = [];
  for (;;) {
    const batch = registry.spooled(address('demo/first'), 500).map((message) => message.id);
    if (batch.length === 0) break;
    taken.push(batch);
    registry.unspool(address('demo/first'), batch);
  }
  expect(taken).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
});
