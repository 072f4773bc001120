import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { eventually } from '../../support/eventually.js';
import { RunnerSession, script } from '../../support/runner-session.js';

const HOUR_MS = 3_600_000;
const KEY = 'provider_session:command';
const report = (fields: object): string => `echo '${JSON.stringify({ nightporter: fields })}' >&2`;
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
/** Writes down what it was to resume, one line a call (`.` for nothing), then does what it is told. */
const noting = (then: string): string[] => script(`echo "\${NIGHTPORTER_RESUME:-.}" >> calls; ${then}`);
/** Fails like a provider that knows no session `old`. */
const REFUSES_OLD = `[ "$NIGHTPORTER_RESUME" = old ] && { echo half; ${report({ error_class: 'resume_invalid' })}; exit 1; }`;

describe('resume ids of the runner', () => {
  let session: RunnerSession;
  beforeEach(() => {
    session = new RunnerSession();
  });
  afterEach(() => session.dispose());

  const store = (value: string, key = KEY): void => {
    session.writeOutbound((db) => db.prepare(`INSERT INTO session_state VALUES (?, ?, '')`).run(key, value));
  };
  const storeId = (id: string, lastUsedAt: string): void => {
    store(JSON.stringify({ id, last_used_at: lastUsedAt }));
  };
  const calls = (): string[] => (session.file('calls') ?? '').split('\n').slice(0, -1);
  const ended = async (command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    session.enqueue({ id: 'm' });
    session.start({ command, env });
    return eventually('the turn ends', () => session.acks().find(({ status }) => status !== 'processing'));
  };

  it.each([
    ['used an hour ago', ago(HOUR_MS), {}, 'old'],
    ['not used for over 24 h', ago(24 * HOUR_MS + 60_000), {}, '.'],
    ['not used for just under 24 h', ago(24 * HOUR_MS - 60_000), {}, 'old'],
    ['older than the setting', ago(2_000), { [RUNNER_ENV.maxSessionAgeMs]: '1000' }, '.'],
    ['of any age where ids never expire', ago(1_000 * HOUR_MS), { [RUNNER_ENV.maxSessionAgeMs]: '0' }, 'old'],
    ['used in a little while from now', ago(-HOUR_MS), {}, 'old'],
    ['used in two days from now', ago(-48 * HOUR_MS), {}, '.'],
    ['used at no time', 'noon', {}, '.'],
  ])('L12 gives or keeps back an id %s', async (_when, lastUsedAt, env, given) => {
    storeId('old', lastUsedAt);
    expect(await ended(noting('echo ok'), env)).toMatchObject({ status: 'completed' });
    expect(calls()).toEqual([given]);
  });

  it('L11 keeps back a bare id: it counts as last used at 0', async () => {
    store('old');
    expect(await ended(noting('echo ok'))).toMatchObject({ status: 'completed' });
    expect(calls()).toEqual(['.']);
  });

  it('L13 refreshes the clock of the same id, and a failed run stores none', async () => {
    storeId('old', ago(HOUR_MS));
    await ended(noting(`[ -e fail ] && { ${report({ provider_session: 'bad' })}; exit 75; }; echo ok`));
    const kept = session.providerSession(KEY) as { id: string; last_used_at: string };
    expect(kept.id).toBe('old');
    expect(Date.now() - Date.parse(kept.last_used_at)).toBeLessThan(30_000);
    session.touch('fail');
    session.enqueue({ id: 'm2' });
    await session.untilAcked('failed', 'm2');
    expect(session.providerSession(KEY)).toEqual(kept);
  });

  it('L13a replaces the id by the one that the provider issued in the middle', async () => {
    storeId('old', ago(HOUR_MS));
    await ended(noting(`${report({ provider_session: 'new' })}; echo ok`));
    expect(session.providerSession(KEY)).toMatchObject({ id: 'new' });
  });

  it('L14 forgets an id that the provider does not know, counts it, and silently tries once more without', async () => {
    storeId('old', ago(HOUR_MS));
    const runner = noting(`${REFUSES_OLD}; ${report({ provider_session: 'new' })}; echo ok`);
    expect(await ended(runner)).toMatchObject({ status: 'completed', error: null });
    expect(calls()).toEqual(['old', '.']);
    expect(session.replies()).toEqual([['m', 'ok']]);
    expect(session.providerSession(KEY)).toMatchObject({ id: 'new' });
    expect(session.providerSession('resume_failures:command')).toEqual({ count: 1 });
  });

  it('L14 clears again and fails for good where the fresh try is refused too', async () => {
    storeId('old', ago(HOUR_MS));
    store(JSON.stringify({ count: 6 }), 'resume_failures:command');
    const refuses = noting(`echo half; ${report({ error_class: 'resume_invalid', error: 'unknown' })}; exit 1`);
    expect(await ended(refuses)).toMatchObject({ status: 'failed', error_class: 'resume_invalid', error: 'unknown' });
    expect(calls()).toEqual(['old', '.']);
    expect(session.answers()).toEqual([]);
    expect(session.providerSession(KEY)).toBeUndefined();
    expect(session.providerSession('resume_failures:command')).toEqual({ count: 7 });
  });

  it('L14 fails at once where there was nothing to resume, and counts nothing', async () => {
    const refuses = noting(`${report({ error_class: 'resume_invalid' })}; exit 1`);
    expect(await ended(refuses)).toMatchObject({ status: 'failed', error_class: 'resume_invalid' });
    expect(calls()).toEqual(['.']);
    expect(session.providerSession('resume_failures:command')).toBeUndefined();
  });

  it('L14 has forgotten the id although the fresh try is killed', async () => {
    storeId('old', ago(HOUR_MS));
    session.enqueue({ id: 'm' });
    const runner = session.start({ command: noting(`${REFUSES_OLD}; touch fresh; sleep 300`) });
    await eventually('the fresh try', () => session.file('fresh') !== undefined);
    await runner.kill('SIGKILL');
    expect(session.providerSession(KEY)).toBeUndefined();
    expect(session.providerSession('resume_failures:command')).toEqual({ count: 1 });
    expect(session.ack('m')?.status).toBe('processing');
  });

  it('L14 releases the message on TERM during the fresh try', async () => {
    storeId('old', ago(HOUR_MS));
    session.enqueue({ id: 'm' });
    const runner = session.start({ command: noting(`${REFUSES_OLD}; touch fresh; exec sleep 300`) });
    await eventually('the fresh try', () => session.file('fresh') !== undefined);
    expect(await runner.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(session.acks()).toEqual([]);
    expect(session.providerSession(KEY)).toBeUndefined();
  });

  it('L15 never gives an id of another provider', async () => {
    store(JSON.stringify({ id: 'old', last_used_at: ago(1_000) }), 'provider_session:claude');
    await ended(noting(`${report({ provider_session: 'own' })}; echo ok`));
    expect(calls()).toEqual(['.']);
    expect(session.providerSession('provider_session:claude')).toMatchObject({ id: 'old' });
    expect(session.providerSession(KEY)).toMatchObject({ id: 'own' });
  });

  it('L16 clears the id of a conversation that is too long, and gives the message one fresh try', async () => {
    storeId('old', ago(HOUR_MS));
    const fails = `[ -n "$NIGHTPORTER_RESUME" ] && { ${report({ error_class: 'context_overflow' })}; exit 1; }`;
    expect(await ended(noting(`${fails}; echo ok`))).toMatchObject({ status: 'completed' });
    expect(calls()).toEqual(['old', '.']);
    expect(session.providerSession(KEY)).toBeUndefined();
    expect(session.providerSession('resume_failures:command')).toBeUndefined();
  });

  it('L16 fails with its class after two calls at most', async () => {
    storeId('old', ago(HOUR_MS));
    const fails = noting(`${report({ error_class: 'context_overflow', error: 'too long' })}; exit 1`);
    expect(await ended(fails)).toMatchObject({ status: 'failed', error_class: 'context_overflow', error: 'too long' });
    expect(calls()).toEqual(['old', '.']);
    expect(session.providerSession(KEY)).toBeUndefined();
  });

  it('L16 fails after one call where there was no context', async () => {
    const fails = noting(`${report({ error_class: 'context_overflow' })}; exit 1`);
    expect(await ended(fails)).toMatchObject({ status: 'failed', error_class: 'context_overflow' });
    expect(calls()).toEqual(['.']);
  });
});
