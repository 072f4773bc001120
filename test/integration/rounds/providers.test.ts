import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/config.js';
import type { GroupName, MessageId } from '../../../src/protocol/address.js';
import { formatInstant } from '../../../src/protocol/times.js';
import { isWholeSuite } from '../../support/whole-suite.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

/** Limited at once; a hundred of them are in the whole suite, and in `shown-providers`. */
const SESSIONS = isWholeSuite ? 100 : 40;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let porter: TestPorter;

function open(options: PorterOptions = {}): TestPorter {
  porter = new TestPorter({ files: 'in_process', ...options });
  return porter;
}

afterEach(async () => {
  await porter.close();
});

/** As the session's runner keeps an id. */
function keepId(p: TestPorter, text: string, id: string, { provider = 'claude', usedMs = p.clock.now() } = {}): void {
  keep(p, text, `provider_session:${provider}`, JSON.stringify({ id, last_used_at: formatInstant(usedMs) }));
}

function keep(p: TestPorter, text: string, key: string, value: string): void {
  p.write(
    text,
    'INSERT OR REPLACE INTO session_state (key, value, updated_at) VALUES (?, ?, ?)',
    ...[key, value, formatInstant(p.clock.now())],
  );
}

function idsInFile(p: TestPorter, text: string): unknown[] {
  const db = new Database(p.paths(text).outbound, { readonly: true });
  try {
    return db.prepare("SELECT key FROM session_state WHERE key LIKE 'provider_session:%' ORDER BY key").pluck().all();
  } finally {
    db.close();
  }
}

const idsKnown = (p: TestPorter, text: string) => p.registry.providerSessions(session(text)).map(({ id }) => id);

/** A session that answered once, with an id that its runner kept. */
async function answered(p: TestPorter, text: string, id = 'm1'): Promise<void> {
  p.send(text, id);
  await p.round();
  p.ack(text, id, 'completed');
  keepId(p, text, `id-of-${id}`);
  await p.look(text);
}

describe('the session ids of providers', () => {
  it('L11: what the file says is known to the registry, as long as it says it', async () => {
    const p = open();
    await answered(p, 'g/a');
    expect(p.registry.providerSessions(session('g/a'))).toEqual([
      { session: 'g/a', provider: 'claude', id: 'id-of-m1', lastUsedMs: p.clock.now(), synthetic: false },
    ]);
    keep(p, 'g/a', 'provider_session:codex', 'bare-id');
    keepId(p, 'g/a', 'from-the-future', { provider: 'other', usedMs: p.clock.now() + HOUR });
    await p.look('g/a');
    expect(p.registry.providerSessions(session('g/a'))).toMatchObject([
      { provider: 'claude' },
      { provider: 'codex', id: 'bare-id', lastUsedMs: 0 },
      { provider: 'other', lastUsedMs: p.clock.now() },
    ]);
    p.write('g/a', 'DELETE FROM session_state');
    await p.look('g/a');
    expect(idsKnown(p, 'g/a')).toEqual([]);
  });

  it('L13a: an id that the provider replaced takes the place of the one before', async () => {
    const p = open();
    await answered(p, 'g/a');
    keepId(p, 'g/a', 'another');
    await p.look('g/a');
    expect(idsKnown(p, 'g/a')).toEqual(['another']);
  });

  it('L12: an id that was not used for a day is gone from both places before the wake, a younger one is there', async () => {
    const p = open();
    await answered(p, 'g/a');
    p.runtime.exit(session('g/a'), { exitCode: 0 });
    await p.look('g/a');
    await p.pass(DAY - MINUTE);
    p.send('g/a', 'm2');
    await p.round();
    expect(idsInFile(p, 'g/a')).toEqual(['provider_session:claude']);
    p.ack('g/a', 'm2', 'completed');
    p.runtime.exit(session('g/a'), { exitCode: 0 });
    await p.look('g/a');
    await p.pass(2 * MINUTE);
    keep(p, 'g/a', 'provider_session:codex', 'bare-id');
    p.send('g/a', 'm3');
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    expect(idsInFile(p, 'g/a')).toEqual([]);
    expect(idsKnown(p, 'g/a')).toEqual([]);
  });

  it('L12: upkeep drops old ids from both places, not those of what runs, is young, or never ages', async () => {
    const p = open();
    for (const text of ['g/old', 'g/runs', 'g/young']) {
      await answered(p, text);
      if (text === 'g/runs') continue;
      p.runtime.exit(session(text), { exitCode: 0 });
      await p.look(text);
    }
    await p.pass(DAY + MINUTE);
    keepId(p, 'g/young', 'young');
    await p.look('g/young');
    const dry = await p.upkeep.collect({ dryRun: true });
    const of = (report: typeof dry) =>
      report.actions
        .filter(({ action }) => action === 'drop_resume_id')
        .map(({ session: text, provider }) => [text, provider]);
    expect(of(dry)).toEqual([['g/old', 'claude']]);
    expect(idsInFile(p, 'g/old')).toHaveLength(1);
    expect(of(await p.upkeep.collect({ dryRun: false }))).toEqual([['g/old', 'claude']]);
    expect([idsInFile(p, 'g/old'), idsKnown(p, 'g/old')]).toEqual([[], []]);
    expect([idsInFile(p, 'g/runs'), idsKnown(p, 'g/runs')]).toEqual([['provider_session:claude'], ['id-of-m1']]);
    expect(idsKnown(p, 'g/young')).toEqual(['young']);
    p.settings = { ...p.settings, maxSessionAgeMs: 0 };
    await p.pass(900 * DAY);
    expect(of(await p.upkeep.collect({ dryRun: true }))).toEqual([]);
  });

  it('L12: an id that is used while upkeep looks at it is kept in both places', async () => {
    const p = open({
      ports: (ports) => ({
        ...ports,
        files: new Proxy(ports.files, {
          get: (files, name) => {
            const value: unknown = Reflect.get(files, name);
            if (typeof value !== 'function') return value;
            if (name === 'expireResumeIds') keepId(porter, 'g/a', 'just-now');
            return value.bind(files) as unknown;
          },
        }),
      }),
    });
    await answered(p, 'g/a');
    p.runtime.exit(session('g/a'), { exitCode: 0 });
    await p.look('g/a');
    await p.pass(DAY + MINUTE);
    const report = await p.upkeep.collect({ dryRun: false });
    expect(report.actions.filter(({ action }) => action === 'drop_resume_id')).toEqual([]);
    expect(report.kept).toMatchObject({ recent: 1 });
    expect([idsInFile(p, 'g/a'), idsKnown(p, 'g/a')]).toEqual([['provider_session:claude'], ['just-now']]);
  });

  it('L14: ids that the provider did not know are counted once each, whatever a file claims, and over deletion', async () => {
    const p = open({ settings: { PROVIDER: 'claude' } });
    await answered(p, 'g/a');
    await answered(p, 'g/b');
    const say = async (text: string, value: string): Promise<void> => {
      keep(p, text, 'resume_failures:claude', value);
      await p.look(text);
      await p.look(text);
    };
    await say('g/a', '{"count":2}');
    await say('g/a', '{"count":3}');
    await say('g/b', '{"count":1}');
    expect(p.registry.resumeFailures()).toEqual([{ provider: 'claude', failures: 4 }]);
    await say('g/a', '{"count":1}');
    expect(p.registry.resumeFailures(), 'a file that was replaced').toEqual([{ provider: 'claude', failures: 5 }]);
    await say('g/b', '{"count":900000}');
    expect(p.registry.resumeFailures(), 'a liar').toEqual([{ provider: 'claude', failures: 105 }]);
    keep(p, 'g/b', 'resume_failures:invented', '{"count":1}');
    await p.look('g/b');
    expect(p.registry.resumeFailures(), 'a provider that it may not ask').toHaveLength(1);
    p.registry.deleteSession(session('g/b'), p.clock.now());
    expect(p.registry.resumeFailures()).toEqual([{ provider: 'claude', failures: 105 }]);
  });
});

describe('a provider that limits us', () => {
  /** The session's turn is refused; answers when it may be tried again. */
  async function refuse(p: TestPorter, text: string, id: string, retryAtMs: number): Promise<void> {
    p.ack(text, id, 'failed', { errorClass: 'rate_limited', error: 'too many requests' });
    p.write(text, 'UPDATE processing_ack SET retry_at = ? WHERE message_id = ?', formatInstant(retryAtMs), id);
    p.runtime.exit(session(text), { exitCode: 0 });
    await p.look(text);
  }

  it(`L18: is tried by one session at a time: ${String(SESSIONS)} limited at once make at most 3 calls until retry_at, then go on`, async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 100 } });
    const names = Array.from({ length: SESSIONS }, (_, index) => `g/s${String(index)}`);
    p.send('g/s0', 'm');
    await p.round();
    const retryAtMs = p.clock.now() + HOUR;
    await refuse(p, 'g/s0', 'm', retryAtMs);
    let calls = 1;
    for (const name of names.slice(1)) p.send(name, 'm');
    for (const atMs of [1, 21, 42, 59].map((minute) => p.clock.now() + minute * MINUTE)) {
      await p.pass(atMs - p.clock.now());
      await p.round();
      for (const name of p.running()) {
        calls += 1;
        await refuse(p, name, 'm', retryAtMs);
      }
    }
    expect(calls).toBeLessThanOrEqual(3);
    expect(calls).toBeGreaterThan(1);
    expect(p.notices()).toContain('provider_limited -');
    await p.pass(retryAtMs - p.clock.now());
    await p.round();
    const [probe, ...others] = p.running();
    expect(others).toEqual([]);
    p.ack(String(probe), 'm', 'completed');
    p.beat(String(probe));
    await p.look(String(probe));
    expect(p.running()).toHaveLength(SESSIONS);
    expect(p.notices()).not.toContain('provider_limited -');
    expect(p.message('g/s0', 'm')).toMatchObject({ tries: 0, deferrals: 1 });
  }, 120_000);

  it('L18: retry_at is honoured within a minute after it, over a restart of the host; another provider is not held back', async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 100 } });
    for (const name of ['g/a', 'g/b', 'g/c']) p.send(name, 'm');
    p.registry.createSession({
      ...{ address: session('g/other'), createdAtMs: p.clock.now(), provider: 'other', image: null, command: null },
    });
    await p.round();
    const retryAtMs = p.clock.now() + 10 * MINUTE;
    for (const name of ['g/a', 'g/b', 'g/c']) await refuse(p, name, 'm', retryAtMs);
    await p.restart();
    p.send('g/other', 'm');
    await p.round();
    expect(p.running()).toEqual(['g/other']);
    p.ack('g/other', 'm', 'completed');
    p.runtime.exit(session('g/other'), { exitCode: 0 });
    await p.look('g/other');
    await p.pass(retryAtMs - p.clock.now() - 1);
    await p.round();
    expect(p.running()).toEqual([]);
    await p.pass(1);
    await p.round();
    expect(p.running()).toHaveLength(1);
    // The probe says nothing for long: another one may try.
    const [first = ''] = p.running();
    await p.pass(MINUTE);
    expect(p.running()).toHaveLength(2);
    expect(p.notices()).toContain('provider_limited -');
    p.ack(first, 'm', 'completed');
    p.beat(first);
    await p.look(first);
    expect(p.running(), 'its answer lets all go on, though another one tries meanwhile').toHaveLength(3);
    expect(p.notices()).not.toContain('provider_limited -');
  });

  it('L18: sessions that move to another provider go on at once; a limit that nobody waits for is told of no more', async () => {
    const p = open();
    p.send('g/a', 'm');
    await p.round();
    const retryAtMs = p.clock.now() + 5 * HOUR;
    await refuse(p, 'g/a', 'm', retryAtMs);
    for (const name of ['g/b', 'g/c']) p.send(name, 'm');
    await p.round();
    expect(p.running()).toEqual([]);
    p.settings = { ...p.settings, provider: 'other' };
    p.rounds.settingsChanged();
    await p.round();
    expect(p.running(), 'one asks it first').toEqual(['g/b']);
    await p.pass(5_000);
    expect(p.running()).toEqual(['g/b', 'g/c']);
    expect(p.notices()).toContain('provider_limited -');
    await p.pass(retryAtMs + MINUTE - p.clock.now());
    await p.round();
    expect(p.notices()).not.toContain('provider_limited -');
    expect(p.registry.providerGates().size).toBe(0);
  });

  const asked: PorterOptions = { settings: { MAX_CONCURRENT_CONTAINERS: 100, PROVIDER: 'anthropic' } };

  it('L18: that nothing was heard from is asked by one session first: all that begin at once make at most 3 calls until retry_at', async () => {
    const p = open(asked);
    const names = Array.from({ length: SESSIONS }, (_, index) => `g/s${String(index)}`);
    for (const name of names) p.send(name, 'm');
    await p.round();
    expect(p.running()).toHaveLength(1);
    const retryAtMs = p.clock.now() + HOUR;
    await p.pass(1_000);
    let calls = 0;
    while (p.clock.now() < retryAtMs) {
      for (const name of p.running()) {
        calls += 1;
        await refuse(p, name, 'm', retryAtMs);
      }
      await p.pass(MINUTE);
      await p.round();
    }
    expect(calls).toBe(3);
  }, 120_000);

  it.each<[string, (p: TestPorter, first: string) => Promise<void>]>([
    ['it was not refused within seconds', (p) => p.pass(5_000)],
    [
      'it was answered',
      async (p, first) => {
        p.ack(first, 'm', 'completed');
        await p.look(first);
      },
    ],
    [
      'its turn failed otherwise',
      async (p, first) => {
        p.ack(first, 'm', 'failed', { error: 'no such model' });
        await p.look(first);
      },
    ],
  ])('L18: sessions that begin after the first one go on as soon as %s', async (_, happens) => {
    const p = open(asked);
    const names = ['g/a', 'g/b', 'g/c'];
    for (const name of names) p.send(name, 'm');
    await p.round();
    const [first = '', ...others] = p.running();
    expect(others).toEqual([]);
    await p.pass(4_999);
    expect(p.running()).toEqual([first]);
    p.beat(first);
    await happens(p, first);
    expect(p.running()).toEqual(names);
  });

  it('L18: a first session that is started anew closes nothing that was open', async () => {
    const p = open(asked);
    p.send('g/a', 'm');
    await p.round();
    await p.pass(5_000);
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await p.look('g/a');
    await p.pass(1_000);
    expect(p.running()).toEqual(['g/a']);
    p.send('g/b', 'm');
    await p.look('g/b');
    expect(p.running()).toEqual(['g/a', 'g/b']);
  });

  it('L18: a first session that cannot be started lets another one ask', async () => {
    const p = open(asked);
    for (const name of ['g/a', 'g/b', 'g/c']) p.send(name, 'm');
    p.runtime.refuse(session('g/a'), 'no such image');
    await p.round();
    await p.pass(1_000);
    expect(p.running()).toEqual(['g/b']);
  });

  it.each<[string, (name: string) => Partial<Settings>]>([
    ['place', (name) => ({ baseUrl: { '*': `http://${name}.test/v1` } })],
    ['account', (name) => ({ environment: { OPENAI_API_KEY: `key of ${name}` } })],
  ])('L18: holds back nobody who asks another %s', async (_, asking) => {
    const p = open();
    const group = (name: string, asked: string) => [name as GroupName, { ...p.settings, ...asking(asked) }] as const;
    const groups = new Map([group('g', 'one'), group('h', 'one'), group('other', 'another')]);
    p.settings = { ...p.settings, groups };
    p.send('g/a', 'm');
    await p.round();
    await refuse(p, 'g/a', 'm', p.clock.now() + HOUR);
    for (const name of ['g/b', 'h/a', 'other/a']) p.send(name, 'm');
    await p.round();
    expect(p.running()).toEqual(['other/a']);
    expect(JSON.stringify([...p.registry.providerGates()])).not.toContain('key of');
  });
});

describe('a provider that has ended the session for good', () => {
  it.each(['while its container runs', 'after its container ended'])(
    'L19: %s: all that waits or is claimed ends as dead letters with that reason, at once; a series goes on',
    async (when) => {
      const p = open();
      for (const id of ['m1', 'm2', 'm3']) p.send('g/a', id);
      p.send('g/a', 'later', { afterMs: p.clock.now() + DAY });
      p.send('g/b', 'm1');
      p.registry.accept({
        ...{ session: session('g/a'), acceptedAtMs: p.clock.now() },
        message: {
          ...{ id: 'daily' as MessageId, kind: 'chat', timestampMs: p.clock.now(), trigger: true, onWake: false },
          ...{ processAfterMs: p.clock.now() + HOUR, content: '{}', recurrence: '0 * * * *', seriesId: 'daily' },
          ...{ timezone: null, occurrenceMs: p.clock.now() + HOUR, missed: null },
        },
      });
      await p.round();
      p.ack('g/a', 'm1', 'completed');
      p.ack('g/a', 'm2', 'failed', { errorClass: 'terminated', error: 'the account was closed' });
      p.ack('g/a', 'm3', 'processing');
      if (when === 'after its container ended') p.runtime.exit(session('g/a'), { exitCode: 0 });
      await p.look('g/a');
      const dead = { status: 'failed', error: 'the account was closed', error_class: 'terminated' };
      expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
      for (const id of ['m2', 'm3', 'later']) expect(p.message('g/a', id), id).toMatchObject(dead);
      expect(p.message('g/a', 'daily')).toMatchObject({ status: 'pending' });
      expect(p.message('g/b', 'm1'), 'L21: of another session').toMatchObject({ status: 'pending' });
      expect(p.notices()).toContain('dead_letter g/a');
      expect(p.registry.totals().messages).toMatchObject({ failed: 3, completed: 1, processing: 0, pending: 2 });
      if (when === 'while its container runs') {
        p.ack('g/a', 'm3', 'completed');
        p.runtime.exit(session('g/a'), { exitCode: 0 });
      }
      await p.look('g/a');
      await p.round();
      expect(p.message('g/a', 'm3')).toMatchObject(dead);
      expect(p.running()).toEqual(['g/b']);
    },
  );
});

describe('what an outage left behind', () => {
  async function outage(p: TestPorter, ms: number): Promise<void> {
    for (const text of ['g/a', 'g/b']) p.send(text, 'm');
    await p.round();
    for (const text of ['g/a', 'g/b']) {
      p.ack(text, 'm', 'processing');
      p.beat(text);
      await p.look(text);
      p.runtime.exit(session(text), { exitCode: 137 });
    }
    p.clock.advance(ms);
    await p.restart();
    await p.round();
  }

  it('L19a: turns of which nothing was heard for 6 h end as dead letters, with one notice; nobody is held for it', async () => {
    const p = open();
    await outage(p, 6 * HOUR + MINUTE);
    expect(p.message('g/a', 'm')).toMatchObject({ status: 'failed', error_class: 'stale_active', tries: 0 });
    expect(p.message('g/b', 'm')).toMatchObject({ status: 'failed', error_class: 'stale_active' });
    expect(p.notices()).toEqual(['stale_active -']);
    const [notice] = p.registry.openNotices(10);
    expect(notice?.text).toContain('dead retry --reason stale_active');
    expect(p.registry.guard(session('g/a'))).toMatchObject({ settledFailures: 0, heldSinceMs: null });
    expect(p.acks('g/a')).toEqual([]);
  });

  it('L19a: younger ones are tried again like any other', async () => {
    const p = open();
    await outage(p, 6 * HOUR - MINUTE);
    expect(p.message('g/a', 'm')).toMatchObject({ status: 'pending', tries: 1 });
  });

  it('L19a: STALE_ACTIVE=retry tries them again whatever their age', async () => {
    const p = open({ settings: { STALE_ACTIVE: 'retry' } });
    await outage(p, 6 * HOUR + MINUTE);
    expect(p.message('g/a', 'm')).toMatchObject({ status: 'pending', tries: 1 });
  });

  it('L19a: only of what an earlier process left: a turn that hung for long under this one is tried again', async () => {
    const p = open({ settings: { STALE_ACTIVE_MS: 60_000 } });
    p.send('g/a', 'm');
    await p.round();
    p.ack('g/a', 'm', 'processing');
    p.beat('g/a');
    await p.look('g/a');
    p.clock.advance(10 * MINUTE);
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await p.look('g/a');
    expect(p.message('g/a', 'm')).toMatchObject({ status: 'pending', tries: 1 });
  });

  it('L19a: what runs on is adopted, and only judged by this process from then on', async () => {
    const p = open();
    p.send('g/a', 'm');
    await p.round();
    p.ack('g/a', 'm', 'processing');
    p.beat('g/a');
    await p.look('g/a');
    await p.restart();
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    p.clock.advance(7 * HOUR);
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await p.look('g/a');
    expect(p.message('g/a', 'm')).toMatchObject({ status: 'pending', tries: 1 });
  });
});
