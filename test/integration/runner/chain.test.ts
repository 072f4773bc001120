import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Failed, Outcome, Provider, Resumes, Turn } from '../../../container/agent-runner/src/provider.js';
import { TurnBench } from '../../support/turn-bench.js';

const DOWN: Failed = { kind: 'failed', errorClass: 'retryable', error: 'refused', retryAtMs: null, isDown: true };
const NO_KEY: Failed = { ...DOWN, errorClass: 'fatal', error: 'no key' };
const LIMITED: Failed = {
  kind: 'failed',
  errorClass: 'rate_limited',
  error: 'slow down',
  retryAtMs: 1_900_000_000_000,
};
const OVERFLOW: Failed = { kind: 'failed', errorClass: 'context_overflow', error: 'too long', retryAtMs: null };

describe('the chain of providers', () => {
  let bench: TurnBench;
  beforeEach(() => {
    bench = new TurnBench();
  });
  afterEach(() => bench.dispose());

  /** A provider as the port asks for one; `ends`: how its calls end, in turn. */
  const provider = (
    name: string,
    resumes: Resumes,
    ...ends: readonly ((turn: Turn, signal: AbortSignal) => Outcome)[]
  ): Provider & { readonly turns: Turn[]; readonly signals: AbortSignal[] } => {
    const turns: Turn[] = [];
    const signals: AbortSignal[] = [];
    return {
      name,
      turns,
      signals,
      claimsPerTurn: 1,
      resumes,
      run: (turn, _report, signal) => {
        turns.push(turn);
        signals.push(signal);
        const end = ends[Math.min(turns.length, ends.length) - 1];
        if (end === undefined) throw new Error('it was not to be called');
        return Promise.resolve(end(turn, signal));
      },
    };
  };
  const says =
    (text: string, id: string | null = null) =>
    ({ messages: [to] }: Turn): Outcome => ({
      kind: 'completed',
      answers: to === undefined ? [] : [{ to, text }],
      providerSession: id,
    });
  const fails = (failed: Failed) => (): Outcome => failed;

  it('L19 lets the next provider do the turn of one that is down, says so in the log and not in the answer', async () => {
    const first = provider('first', 'own_ids', fails(DOWN));
    const second = provider('second', 'own_ids', says('done', 'its-id'));
    const turned = await bench.turn([first, second], 'hello');
    expect(turned.outcome).toMatchObject({ kind: 'completed' });
    expect(bench.answers(turned)).toEqual(['done']);
    expect(bench.logged).toContainEqual(
      expect.objectContaining({ msg: 'provider is down, the next one of the chain is asked', provider: 'first' }),
    );
    expect(bench.session.providerSession('provider_session:second')).toMatchObject({ id: 'its-id' });
    expect(bench.session.providerSession('provider_session:first')).toBeUndefined();
  });

  it('L15 L19 gives every provider of the chain its own id, and comes back to the first', async () => {
    const first = provider('first', 'own_ids', says('one', 'id-1'), fails(DOWN), says('three', 'id-1'));
    const second = provider('second', 'own_ids', says('two', 'id-2'));
    for (const text of ['a', 'b', 'c']) await bench.turn([first, second], text);
    expect(first.turns.map(({ resume }) => resume)).toEqual([null, 'id-1', 'id-1']);
    expect(second.turns.map(({ resume }) => resume)).toEqual([null]);
    expect(bench.session.replies().map(([, text]) => text)).toEqual(['one', 'two', 'three']);
  });

  it.each([
    ['a rate limit', LIMITED],
    ['an overflow', OVERFLOW],
    ['a refused request', { ...NO_KEY, isDown: false }],
  ])('L19 does not fall back for %s', async (_what, failed) => {
    const second = provider('second', 'none');
    const turned = await bench.turn([provider('first', 'none', fails(failed)), second], 'hello');
    expect(turned.outcome).toMatchObject({ kind: 'failed', errorClass: failed.errorClass, error: failed.error });
    expect(second.turns).toEqual([]);
  });

  it.each([
    ['what may pass, whatever the last says', [DOWN, NO_KEY], 'retryable', null],
    ['what stays, where nothing may pass', [NO_KEY, { ...NO_KEY, error: 'wrong key' }], 'fatal', null],
    ['ended for good, where nothing may pass', [{ ...NO_KEY, errorClass: 'terminated' }, NO_KEY], 'terminated', null],
    ['the limit of the one that stands in for one without a key', [NO_KEY, LIMITED], 'rate_limited', LIMITED.retryAtMs],
    ['down, where the one that stands in is limited', [DOWN, LIMITED], 'retryable', null],
    ['the overflow of the one that stands in for one that is down', [DOWN, OVERFLOW], 'context_overflow', null],
  ] as const)('L19 fails as %s', async (_what, [one, two], errorClass, retryAtMs) => {
    const chain = [provider('first', 'none', fails(one)), provider('second', 'none', fails(two))] as const;
    const turned = await bench.turn(chain, 'hello');
    const error = `first: ${one.error}; second: ${two.error}`;
    expect(turned.outcome).toMatchObject({ kind: 'failed', errorClass, retryAtMs, error });
  });

  it('L15 gives a provider without sessions a stable id of ours, stored before its first call, never as a resume id', async () => {
    const stored: unknown[] = [];
    const own = provider('own', 'synthetic', (turn) => {
      stored.push(bench.session.providerSession('provider_session:own'));
      return says('ok')(turn);
    });
    await bench.turn([own], 'a');
    await bench.turn([own], 'b');
    const [first, second] = own.turns;
    expect(first?.conversation).toMatch(/^np-[0-9a-f-]{36}$/);
    expect(second?.conversation).toBe(first?.conversation);
    expect(own.turns.map(({ resume }) => resume)).toEqual([null, null]);
    expect(stored[0]).toMatchObject({ id: first?.conversation, synthetic: true });
  });

  it('L15 does not take our own id for one of the provider', async () => {
    const key = 'provider_session:own';
    const value = JSON.stringify({ id: 'np-1', synthetic: true, last_used_at: new Date().toISOString() });
    bench.session.writeOutbound((db) => db.prepare(`INSERT INTO session_state VALUES (?, ?, '')`).run(key, value));
    const own = provider('own', 'own_ids', says('ok'));
    await bench.turn([own], 'a');
    expect(own.turns[0]?.resume).toBeNull();
  });

  it('L16 keeps what was produced before the overflow, of both tries', async () => {
    const over = ({ messages: [to] }: Turn): Outcome => ({
      ...OVERFLOW,
      answers: to === undefined ? [] : [{ to, text: 'so far' }],
    });
    const own = provider('own', 'own_ids', says('ok', 'id'), over);
    await bench.turn([own], 'a');
    const turned = await bench.turn([own], 'b');
    expect(turned.outcome).toMatchObject({ kind: 'failed', errorClass: 'context_overflow' });
    expect(own.turns.map(({ resume }) => resume)).toEqual([null, 'id', null]);
    expect(bench.session.replies().map(([, text]) => text)).toEqual(['ok', 'so far', 'so far']);
    expect(bench.session.acks().at(-1)).toMatchObject({ status: 'failed', error_class: 'context_overflow' });
  });

  it('L16 keeps what one that stands in for another produced before the overflow, and tries no more', async () => {
    const over = ({ messages: [to] }: Turn): Outcome => ({
      ...OVERFLOW,
      answers: to === undefined ? [] : [{ to, text: 'so far' }],
    });
    const turned = await bench.turn([provider('first', 'none', fails(DOWN)), provider('second', 'none', over)], 'a');
    expect(turned.outcome).toMatchObject({ kind: 'failed', errorClass: 'context_overflow' });
    expect(bench.session.replies().map(([, text]) => text)).toEqual(['so far']);
  });

  it('L16 starts afresh after the overflow of a conversation of ours, with the same id', async () => {
    const own = provider('own', 'synthetic', says('1'), says('2'), fails(OVERFLOW), says('3'), says('4'));
    for (const text of ['a', 'b', 'c', 'd']) await bench.turn([own], text);
    const told = own.turns.map(({ history }) => history.map(({ text }) => text).join(' '));
    expect(told).toEqual(['', 'a 1', 'a 1 b 2', '', 'c 3']);
    expect(new Set(own.turns.map(({ conversation }) => conversation)).size).toBe(1);
  });

  it('L16 does not go back to a history that was too long, although the fresh try failed', async () => {
    const own = provider('own', 'synthetic', says('1'), fails(OVERFLOW), fails(DOWN), says('3'));
    for (const text of ['a', 'b', 'c']) await bench.turn([own], text);
    expect(own.turns.map(({ history }) => history.length)).toEqual([0, 2, 0, 0]);
  });

  it('L16 fails at once where there was no history to leave out', async () => {
    const own = provider('own', 'synthetic', fails(OVERFLOW));
    expect((await bench.turn([own], 'a')).outcome).toMatchObject({ errorClass: 'context_overflow' });
    expect(own.turns).toHaveLength(1);
  });

  it('L20 gives every call a signal of its own: one that was aborted does not abort the next', async () => {
    const seen: boolean[] = [];
    const notes = (turn: Turn, signal: AbortSignal): Outcome => {
      seen.push(signal.aborted);
      return seen.length === 1 ? DOWN : says('ok')(turn);
    };
    const [first, second] = [provider('first', 'none', notes), provider('second', 'none', notes)];
    await bench.turn([first, second], 'a');
    await bench.turn([first, second], 'b');
    expect(seen).toEqual([false, false, false]);
    expect([...first.signals, ...second.signals].map((signal) => signal.aborted)).toEqual([true, true, true]);
    expect(new Set([...first.signals, ...second.signals]).size).toBe(3);
  });

  it('L20 passes the stop on to the call that runs, and releases its message', async () => {
    const own = provider('own', 'none', (_turn, signal) => {
      bench.stop.abort();
      return signal.aborted ? { kind: 'unfinished' } : DOWN;
    });
    expect((await bench.turn([own], 'a')).outcome).toEqual({ kind: 'unfinished' });
    expect(bench.session.acks()).toEqual([]);
  });

  it('asks no further provider once it is told to stop', async () => {
    const first = provider('first', 'none', () => {
      bench.stop.abort();
      return DOWN;
    });
    const second = provider('second', 'none');
    expect((await bench.turn([first, second], 'a')).outcome).toEqual({ kind: 'unfinished' });
    expect(second.turns).toEqual([]);
  });

  it('adds up what all calls cost, failed and released ones too', async () => {
    const usage = { inputTokens: 10, outputTokens: 3, costUsd: 0.1 };
    const own = provider(
      'own',
      'own_ids',
      (turn) => ({ ...says('ok', 'id')(turn), usage }),
      () => ({ ...OVERFLOW, usage }),
      () => ({ ...DOWN, usage }),
      () => {
        bench.stop.abort();
        return { kind: 'unfinished', usage };
      },
    );
    const figures = (): unknown => bench.session.providerSession('nightporter_usage');
    await bench.turn([own], 'a');
    expect(figures()).toEqual({ turns: 1, calls: 1, input_tokens: 10, output_tokens: 3, cost_usd: 0.1 });
    await bench.turn([own], 'b');
    expect(figures()).toEqual({ turns: 2, calls: 3, input_tokens: 30, output_tokens: 9, cost_usd: 0.3 });
    await bench.turn([own], 'c');
    expect(figures()).toEqual({ turns: 3, calls: 4, input_tokens: 40, output_tokens: 12, cost_usd: 0.4 });
  });
});
