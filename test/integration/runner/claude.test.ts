import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClaudeProvider } from '../../../container/agent-runner/src/claude/claude-provider.js';
import type { Failed, Provider } from '../../../container/agent-runner/src/provider.js';
import { eventually } from '../../support/eventually.js';
import { TurnBench } from '../../support/turn-bench.js';

const FAKE = new URL('../../support/fake-claude.mjs', import.meta.url).pathname;
const KEY = 'provider_session:claude';
const FRESH = 'f0000000-0000-4000-8000-000000000001';
const OLD = '10000000-0000-4000-8000-00000000000d';

interface CallRecord {
  readonly args: readonly string[];
  readonly resume: string | null;
  readonly prompt: string;
}

describe('the provider claude', () => {
  let bench: TurnBench;
  beforeEach(() => {
    bench = new TurnBench();
  });
  afterEach(() => bench.dispose());

  const claude = (scenario: string, model: string | null = null): Provider => {
    const { workspace, inbound } = bench.session;
    const command = [process.execPath, FAKE, scenario] as const;
    return createClaudeProvider({ command, model, workspace, inbound, stopGraceMs: 2_200, log: bench.log });
  };
  const calls = (): CallRecord[] =>
    (bench.session.file('calls') ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as CallRecord);
  const knows = (id: string): void => {
    const value = JSON.stringify({ id, last_used_at: new Date().toISOString() });
    bench.session.writeOutbound((db) => db.prepare(`INSERT INTO session_state VALUES (?, ?, '')`).run(KEY, value));
  };

  it('is run with its prompt on stdin, and answers with the result; the session is resumed by the next turn', async () => {
    const provider = claude('answers', 'model-x');
    const turned = await bench.turn([provider], 'hello');
    expect(bench.answers(turned)).toEqual(['you said: hello']);
    await bench.turn([provider], 'again');
    const always = ['-p', '--output-format', 'stream-json', '--verbose', '--model', 'model-x'];
    expect(calls()).toEqual([
      { args: always, resume: null, prompt: 'hello' },
      { args: [...always, '--resume', FRESH], resume: FRESH, prompt: 'again' },
    ]);
    expect(bench.progress).toBeGreaterThan(0);
  });

  it('reports what it cost, tokens of the cache included', async () => {
    await bench.turn([claude('answers')], 'hello');
    const figures = { turns: 1, calls: 1, input_tokens: 123, output_tokens: 7, cost_usd: 0.25 };
    expect(bench.session.providerSession('nightporter_usage')).toEqual(figures);
  });

  it('takes the last message where the result is empty', async () => {
    const turned = await bench.turn([claude('answers in its last message alone')], '2 + 2');
    expect(bench.answers(turned)).toEqual(['4']);
  });

  it('gives an answer that was cut off as far as it goes, says so in it, and goes on from there', async () => {
    const turned = await bench.turn([claude('is cut off')], 'tell');
    const said = 'First.\n\nThen half a\n\n[This answer was cut off by its provider: max_output_tokens]';
    expect(bench.answers(turned)).toEqual([said]);
    await bench.turn([claude('answers')], 'go on');
    expect(calls().map(({ resume }) => resume)).toEqual([null, FRESH]);
  });

  it('tells of the tool that runs, with its timeout, until it has ended', async () => {
    const running = bench.turn([claude('runs a tool')], 'make');
    await eventually('the tool', () => bench.tools.at(-1) === 'Bash');
    bench.session.touch('go');
    await eventually('its end', () => bench.tools.at(-1) === null);
    bench.session.touch('go on');
    expect(bench.answers(await running)).toEqual(['made']);
  });

  it('hands over the files that it left', async () => {
    await bench.turn([claude('leaves a file')], 'plan');
    const [answer] = bench.session.answers();
    expect(bench.session.file(`outbox/${answer?.id ?? ''}/plan.txt`)).toBe('plan');
  });

  it('L13a replaces the id by the one that was issued in the middle', async () => {
    knows(OLD);
    await bench.turn([claude('goes on in a new session')], 'hello');
    expect(calls().map(({ resume }) => resume)).toEqual([OLD]);
    expect(bench.session.providerSession(KEY)).toMatchObject({ id: 'a0000000-0000-4000-8000-00000000000a' });
  });

  it.each(['does not know the session', 'does not know the session, an older way', 'loses the session in the middle'])(
    'L14 asks once more without the id, silently, where it %s',
    async (scenario) => {
      knows(OLD);
      const turned = await bench.turn([claude(scenario)], 'hello');
      expect(bench.answers(turned)).toEqual(['you said: hello']);
      expect(calls().map(({ resume }) => resume)).toEqual([OLD, null]);
      expect(bench.session.providerSession(KEY)).toMatchObject({ id: FRESH });
      expect(bench.session.providerSession('resume_failures:claude')).toEqual({ count: 1 });
    },
  );

  it('L16 takes what it says in an answer for an answer', async () => {
    knows(OLD);
    const turned = await bench.turn([claude('speaks of what went wrong')], 'hello');
    expect(turned.outcome.kind).toBe('completed');
    expect(calls()).toHaveLength(1);
  });

  it.each([
    ['has too much to read', 'Prompt is too long'],
    ['has too large a request', 'API Error: 413 request_too_large'],
  ])('L16 clears the id, asks once more and fails with its class where it %s', async (scenario, error) => {
    knows(OLD);
    const turned = await bench.turn([claude(scenario)], 'hello');
    expect(turned.outcome).toMatchObject({ kind: 'failed', errorClass: 'context_overflow', error });
    expect(calls().map(({ resume }) => resume)).toEqual([OLD, null]);
    expect(bench.session.providerSession(KEY)).toBeUndefined();
    expect(bench.session.answers()).toEqual([]);
  });

  it('L16 keeps what it produced before the context was full', async () => {
    const turned = await bench.turn([claude('fills its context in the middle')], 'hello');
    expect(turned.outcome).toMatchObject({ errorClass: 'context_overflow' });
    expect(calls()).toHaveLength(1);
    expect(bench.session.replies().map(([, text]) => text)).toEqual(['The first half.']);
  });

  const NOON_S = Math.floor(Date.now() / 1_000) + 3_600;
  const NOON_MS = NOON_S * 1_000;
  const LIMITED: Partial<Failed> = { errorClass: 'rate_limited', isDown: false };
  it.each<[string, Partial<Failed>]>([
    ['is limited until the time in its prompt', { ...LIMITED, retryAtMs: NOON_MS }],
    ['is limited, an older way', { ...LIMITED, retryAtMs: NOON_MS }],
    ['is limited and calls it a success', { ...LIMITED, retryAtMs: null }],
    ['has a wrong key', { errorClass: 'fatal', isDown: true, error: 'Invalid API key · Please run /login' }],
    ['has lost its account', { errorClass: 'terminated', isDown: true }],
    ['has no credit', { errorClass: 'fatal', isDown: true }],
    ['meets an overload', { errorClass: 'retryable', isDown: true, error: 'API Error: 529 Overloaded' }],
    ['is cut off before its first word', { errorClass: 'fatal', isDown: false, error: 'API Error: too many tokens' }],
    ['meets a conflict', { errorClass: 'retryable', isDown: true }],
    ['has a model that is none', { errorClass: 'fatal', isDown: false }],
    ['takes too many steps', { errorClass: 'fatal', isDown: false, error: 'error_max_turns' }],
    ['dies at work', { errorClass: 'retryable', error: 'exit code 139: Segfault' }],
    ['goes without a word', { errorClass: 'retryable', error: 'the program ended without a result' }],
  ])('L18 L19 fails as it should where it %s', async (scenario, expected) => {
    const turned = await bench.turn([claude(scenario)], String(NOON_S));
    expect(turned.outcome).toMatchObject({ kind: 'failed', ...expected });
    expect(bench.session.providerSession(KEY)).toBeUndefined();
    expect(bench.session.answers()).toEqual([]);
  });

  it.each([
    ['in milliseconds', 'is limited until the time in its prompt', NOON_MS],
    ['after the end of all calendars', 'is limited until the time in its prompt', 1e300],
    ['in 2286', 'is limited, an older way', 9_999_999_999],
  ])('L18 waits for no time that is none: one %s', async (_what, scenario, resetsAt) => {
    const turned = await bench.turn([claude(scenario)], String(resetsAt));
    expect(turned.outcome).toMatchObject({ kind: 'failed', ...LIMITED, retryAtMs: null });
    expect(bench.session.acks().at(-1)).toMatchObject({ status: 'failed', retry_at: null });
  });

  it.each(['is warned of a limit', 'prints broken lines'])('answers all the same where it %s', async (scenario) => {
    expect((await bench.turn([claude(scenario)], 'hello')).outcome.kind).toBe('completed');
  });

  it('L19 is down where the program is not there: the next provider does the turn', async () => {
    const { workspace, inbound } = bench.session;
    const command = ['no-such-claude'] as const;
    const gone = createClaudeProvider({ command, model: null, workspace, inbound, stopGraceMs: 0, log: bench.log });
    expect(bench.answers(await bench.turn([gone, claude('answers')], 'hi'))).toEqual(['you said: hi']);
  });

  it('is ended by a stop, and its message released', async () => {
    const running = bench.turn([claude('works for ever')], 'hello');
    await eventually('it works', () => calls().length > 0);
    bench.stop.abort();
    expect((await running).outcome.kind).toBe('unfinished');
    expect(bench.session.acks()).toEqual([]);
  });

  it('gives no id to the program that it could take for an option', async () => {
    knows('--dangerously-skip-permissions');
    await bench.turn([claude('answers')], 'hello');
    expect(calls().map(({ resume }) => resume)).toEqual([null]);
  });
});
