import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpProvider } from '../../../container/agent-runner/src/http/http-provider.js';
import { HTTP_PROVIDERS } from '../../../container/agent-runner/src/provider-choice.js';
import type { Failed, Provider } from '../../../container/agent-runner/src/provider.js';
import { eventually } from '../../support/eventually.js';
import {
  DIALECTS,
  EVENT_STREAM,
  ProviderServer,
  answering,
  ending,
  refusing,
  sse,
} from '../../support/provider-server.js';
import type { Dialect, Reaction } from '../../support/provider-server.js';
import { TurnBench, messageOf } from '../../support/turn-bench.js';

const KEY = 'sk-secret-0123456789';

let bench: TurnBench;
let server: ProviderServer;
beforeEach(async () => {
  bench = new TurnBench();
  server = await ProviderServer.open();
});
afterEach(async () => {
  await server.close();
  await bench.dispose();
});

interface Given {
  readonly deadlineMs?: number;
  readonly graceMs?: number;
  readonly url?: string;
  readonly key?: string;
  readonly model?: string | null;
}

function provider(dialect: Dialect, given: Given = {}): Provider {
  return createHttpProvider({
    name: dialect.name,
    model: given.model === undefined ? 'm' : given.model,
    baseUrl: given.url ?? `${server.url}/v1`,
    callDeadlineMs: given.deadlineMs ?? 10_000,
    stopGraceMs: (given.graceMs ?? 0) + 2_000,
    env: { [dialect.keyVariable]: given.key ?? KEY },
  });
}

const ALL = HTTP_PROVIDERS.map((name) => [name, DIALECTS[name]] as const);
const OPENAI = DIALECTS.openai;

describe.each(ALL)('the provider %s', (name, dialect) => {
  it('L15 is told of the conversation, answers, and is given neither our id nor another try', async () => {
    server.react(answering(dialect, 'Hello', ', Zoë 🦊'), answering(dialect, 'again'));
    const own = provider(dialect);
    expect(bench.answers(await bench.turn([own], 'hi'))).toEqual(['Hello, Zoë 🦊']);
    await bench.turn([own], 'and now?');
    const [first, second] = server.asked;
    expect(first?.path).toMatch(dialect.path);
    expect(dialect.keyIn(first?.headers ?? {})).toBe(KEY);
    expect(dialect.said(first?.body)).toEqual(['user: hi']);
    expect(dialect.said(second?.body)).toEqual(['user: hi', 'assistant: Hello, Zoë 🦊', 'user: and now?']);
    const kept = bench.session.providerSession(`provider_session:${name}`) as { id: string; synthetic: boolean };
    expect(kept).toMatchObject({ synthetic: true, id: expect.stringMatching(/^np-/) as string });
    for (const { body, headers } of server.asked) expect(JSON.stringify([body, headers])).not.toContain(kept.id);
    expect(bench.progress).toBeGreaterThan(0);
  });

  it('adds up what it says that its calls cost', async () => {
    server.react(answering(dialect, 'one'));
    const own = provider(dialect);
    await bench.turn([own], 'a');
    await bench.turn([own], 'b');
    const { input, output, usd } = dialect.cost;
    const figures = { turns: 2, calls: 2, input_tokens: 2 * input, output_tokens: 2 * output, cost_usd: 2 * usd };
    expect(bench.session.providerSession('nightporter_usage')).toEqual(figures);
  });

  it('takes characters apart and together as the wire does', async () => {
    const bytes = Buffer.from(sse(dialect.events(['ü🦊', 'ß'])));
    server.react(async (response) => {
      response.writeHead(200, EVENT_STREAM);
      for (let at = 0; at < bytes.length; at += 7) {
        response.write(bytes.subarray(at, at + 7));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    expect(bench.answers(await bench.turn([provider(dialect)], 'hi'))).toEqual(['ü🦊ß']);
  });

  const failsAs = async (reaction: Reaction, expected: Partial<Failed>, given: Given = {}): Promise<void> => {
    server.react(reaction);
    const turned = await bench.turn([provider(dialect, given)], 'hi');
    expect(turned.outcome).toMatchObject({ kind: 'failed', retryAtMs: null, ...expected });
    expect(server.asked).toHaveLength(1);
    expect(bench.session.answers()).toEqual([]);
    expect(JSON.stringify([turned, bench.logged])).not.toContain(KEY);
  };
  const DOWN = { errorClass: 'retryable', isDown: true } as const;

  it.each([500, 503, 529])('L19 is down with status %d', async (status) => {
    await failsAs(refusing(status, { error: { message: 'sorry', type: 'overloaded_error' } }), DOWN);
  });

  it.each([401, 403])('L19 cannot be had with a key that gives status %d, and the key is not told', async (status) => {
    const error = { message: `wrong key ${KEY}`, type: 'authentication_error' };
    const expected = { errorClass: 'fatal', isDown: true, error: expect.stringContaining('wrong key ***') as string };
    await failsAs(refusing(status, { error }), expected as Partial<Failed>);
  });

  it.each([400, 404])('fails for good with status %d', async (status) => {
    await failsAs(refusing(status, { error: { message: 'no such model' } }), {
      errorClass: 'fatal',
      isDown: false,
      error: `status ${status}, no such model`,
    });
  });

  it('L18 leaves a rate limit to the host, with the time that it names', async () => {
    const limited = refusing(429, { error: { message: 'slow down' } }, { 'retry-after': '30' });
    const beforeMs = Date.now();
    server.react(limited);
    const { outcome } = await bench.turn([provider(dialect)], 'hi');
    expect(outcome).toMatchObject({ errorClass: 'rate_limited', isDown: false });
    expect((outcome as Failed).retryAtMs).toBeGreaterThanOrEqual(beforeMs + 30_000);
    expect((outcome as Failed).retryAtMs).toBeLessThan(Date.now() + 31_000);
    expect(server.asked).toHaveLength(1);
  });

  it('L19 is down where its stream is cut, inside of a character too', async () => {
    const bytes = Buffer.from(sse(dialect.events(['half 🦊', 'more'])));
    const inside = bytes.indexOf(Buffer.from('🦊')) + 2;
    const cut: Reaction = (response) => {
      response.writeHead(200, EVENT_STREAM);
      response.write(bytes.subarray(0, inside), () => response.socket?.destroy());
    };
    await failsAs(cut, DOWN);
  });

  it('L19 is down where its stream ends before the answer does', async () => {
    const whole = dialect.events(['half', 'more']);
    const unfinished: Reaction = (response) => {
      response.writeHead(200, EVENT_STREAM);
      response.end(sse(whole.slice(0, 2)));
    };
    const error = /^(the stream ended before the answer did|the reply cannot be read \(AI_InvalidResponseDataError\))$/;
    await failsAs(unfinished, { ...DOWN, error: expect.stringMatching(error) as string });
  });

  it('L19 is down where no byte comes', async () => {
    await failsAs(() => undefined, { ...DOWN, error: 'no byte came for 300 ms' }, { deadlineMs: 300 });
  });

  it('L19 is down where its stream falls silent', async () => {
    const stalls: Reaction = (response) => {
      response.writeHead(200, EVENT_STREAM);
      response.write(sse(dialect.events(['half']).slice(0, 1)));
    };
    await failsAs(stalls, { ...DOWN, error: 'no byte came for 300 ms' }, { deadlineMs: 300 });
  });

  it.each([
    ['a page', refusing(200, '<!doctype html><p>login</p>'), /a page in place/],
    ['an error', refusing(200, { error: { message: 'overloaded', type: 'server_error' } }), /overloaded/],
    ['nothing', refusing(200, {}), /neither a stream nor an error/],
  ])('L19 is down where it answers with status 200 and %s', async (_what, reaction, error) => {
    await failsAs(reaction, { ...DOWN, error: expect.stringMatching(error) as string });
  });

  it('L19 is down where an error comes in the middle of its stream', async () => {
    const error = { type: 'server_error', status: 'INTERNAL', message: 'lost', code: 500 };
    const broken: Reaction = (response) => {
      response.writeHead(200, EVENT_STREAM);
      const event = name === 'anthropic' ? { type: 'error', error: { type: 'api_error', message: 'lost' } } : { error };
      response.end(sse([...dialect.events(['half']).slice(0, 2), [name === 'anthropic' ? 'error' : null, event]]));
    };
    await failsAs(broken, { ...DOWN, error: expect.stringContaining('lost') as string });
  });

  const cut = { anthropic: 'max_tokens', gemini: 'MAX_TOKENS' }[name as string] ?? 'length';
  it('gives an answer that its provider cut off as far as it goes, and says so in it', async () => {
    server.react(ending(dialect, cut, 'half a '), answering(dialect, 'the rest'));
    const own = provider(dialect);
    const said = `half a\n\n[This answer was cut off by its provider: ${cut}]`;
    expect(bench.answers(await bench.turn([own], 'tell'))).toEqual([said]);
    await bench.turn([own], 'go on');
    expect(dialect.said(server.asked[1]?.body)).toEqual(['user: tell', `assistant: ${said}`, 'user: go on']);
  });

  it('fails for good where it was cut off before its first word', async () => {
    const error = `no word of an answer within the limit of its output (${cut})`;
    await failsAs(ending(dialect, cut), { errorClass: 'fatal', isDown: false, error });
  });

  it('tries an empty answer again', async () => {
    await failsAs(answering(dialect), {
      ...{ errorClass: 'retryable', isDown: false },
      error: expect.stringMatching(/^an empty answer/) as string,
    });
  });

  it('fails before it costs a call without a key, a model or a conversation', async () => {
    const own = provider(dialect, { key: ' ' });
    if (name === 'openai-compatible') server.react(answering(dialect, 'no key needed'));
    const keyless = await bench.turn([own], 'a');
    if (name === 'openai-compatible') expect(keyless.outcome.kind).toBe('completed');
    else expect(keyless.outcome).toMatchObject({ errorClass: 'fatal', isDown: true });
    expect((await bench.turn([provider(dialect, { model: null })], 'b')).outcome).toMatchObject({
      errorClass: 'fatal',
    });
    const messages = [messageOf('c', 2, 'c')];
    const turn = { messages, resume: null, conversation: null, history: [] };
    const refused = await provider(dialect).run(turn, bench.report, bench.stop.signal);
    expect(refused).toMatchObject({ kind: 'failed', errorClass: 'fatal', error: 'called without a conversation' });
    expect(server.asked).toHaveLength(name === 'openai-compatible' ? 1 : 0);
  });
});

describe('what providers say in their own words', () => {
  it.each<[keyof typeof DIALECTS, number, unknown]>([
    ['openai', 400, { error: { message: 'too many', type: 'invalid_request_error', code: 'context_length_exceeded' } }],
    [
      'anthropic',
      400,
      { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 9 > 8' } },
    ],
    ['anthropic', 413, { type: 'error', error: { type: 'request_too_large', message: 'Request exceeds the maximum' } }],
    [
      'gemini',
      400,
      [
        {
          error: {
            code: 400,
            message: 'The input token count (9) exceeds the maximum number of tokens allowed (8).',
            status: 'INVALID_ARGUMENT',
          },
        },
      ],
    ],
    [
      'openrouter',
      400,
      {
        error: {
          code: 400,
          message: 'Provider returned error',
          metadata: { raw: '{"error":{"message":"This endpoint\'s maximum context length is 8 tokens"}}' },
        },
      },
    ],
    [
      'openai-compatible',
      400,
      {
        object: 'error',
        message: "This model's maximum context length is 8 tokens",
        type: 'BadRequestError',
        code: 400,
      },
    ],
    ['openai', 413, '<html>413 Request Entity Too Large</html>'],
    ['gemini', 413, { error: { code: 413, message: 'Request payload size exceeds the limit', status: 'UNKNOWN' } }],
    ['openai-compatible', 413, { detail: 'Payload Too Large' }],
  ])('L16 %s with status %d: history is left out, then it fails as an overflow', async (name, status, body) => {
    const dialect = DIALECTS[name];
    server.react(
      answering(dialect, 'one'),
      refusing(status, body),
      answering(dialect, 'fresh'),
      refusing(status, body),
    );
    const own = provider(dialect);
    for (const text of ['a', 'b']) await bench.turn([own], text);
    expect(server.asked.map(({ body: asked }) => dialect.said(asked).length)).toEqual([1, 3, 1]);
    const turned = await bench.turn([own], 'c');
    expect(turned.outcome).toMatchObject({ kind: 'failed', errorClass: 'context_overflow' });
    expect(server.asked.map(({ body: asked }) => dialect.said(asked).length)).toEqual([1, 3, 1, 3, 1]);
    expect(bench.session.replies().map(([, text]) => text)).toEqual(['one', 'fresh']);
  });

  it('L16 keeps what was said before the context was full, and takes prose for prose', async () => {
    const full = ending(DIALECTS.anthropic, 'model_context_window_exceeded', 'so far');
    server.react(answering(DIALECTS.anthropic, 'prompt is too long'), full);
    const own = provider(DIALECTS.anthropic);
    expect((await bench.turn([own], 'a')).outcome.kind).toBe('completed');
    expect((await bench.turn([own], 'b')).outcome).toMatchObject({ errorClass: 'context_overflow' });
    expect(bench.session.replies().map(([, text]) => text)).toEqual(['prompt is too long', 'so far', 'so far']);
  });

  it.each<[string, keyof typeof DIALECTS, Reaction, Partial<Failed>]>([
    [
      'a key that Gemini calls an invalid argument',
      'gemini',
      refusing(400, { error: { code: 400, status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] } }),
      { errorClass: 'fatal', isDown: true },
    ],
    [
      'an account that is closed',
      'openai',
      refusing(401, { error: { message: 'closed', type: 'invalid_request_error', code: 'account_deactivated' } }),
      { errorClass: 'terminated', isDown: true },
    ],
    [
      'a quota that is used up',
      'openai',
      refusing(429, { error: { message: 'pay', type: 'insufficient_quota', code: 'insufficient_quota' } }),
      { errorClass: 'rate_limited', isDown: true },
    ],
    [
      'no credit',
      'openrouter',
      refusing(402, { error: { code: 402, message: 'pay' } }),
      { errorClass: 'fatal', isDown: true },
    ],
    ['a page of a gateway', 'openai', refusing(502, '<html>502</html>'), { errorClass: 'retryable', isDown: true }],
    [
      'a gateway that gives up with a page',
      'openai',
      refusing(408, '<html>408</html>'),
      { errorClass: 'retryable', isDown: true },
    ],
    [
      'a conflict told by a page',
      'openai',
      refusing(409, '<html>409</html>'),
      { errorClass: 'retryable', isDown: true },
    ],
    [
      'a conflict told by an API',
      'openai',
      refusing(409, { error: { message: 'try again' } }),
      { errorClass: 'retryable', isDown: true },
    ],
    ['a page that is not found', 'openai', refusing(404, '<html>404</html>'), { errorClass: 'fatal', isDown: true }],
    ['a way elsewhere', 'openai', refusing(302, {}, { location: '/' }), { errorClass: 'fatal', isDown: true }],
    [
      'an overload in the first event',
      'anthropic',
      (response) => {
        response.writeHead(200, EVENT_STREAM);
        response.end(sse([['error', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }]]));
      },
      { errorClass: 'retryable', isDown: true },
    ],
    ['an answer that is kept back', 'openai', ending(OPENAI, 'content_filter'), { errorClass: 'fatal', isDown: false }],
  ])('L19 fails as it should for %s', async (_what, name, reaction, expected) => {
    server.react(reaction);
    expect((await bench.turn([provider(DIALECTS[name])], 'hi')).outcome).toMatchObject({ kind: 'failed', ...expected });
    expect(server.asked).toHaveLength(1);
  });

  it('L18 leaves a limit that a gateway tells with a page to the host, with the time that its headers name', async () => {
    const page = '<html>429 Too Many Requests</html>';
    const limited = { kind: 'failed', errorClass: 'rate_limited', isDown: false };
    const beforeMs = Date.now();
    server.react(refusing(429, page, { 'retry-after': '30' }), refusing(429, page));
    const timed = await bench.turn([provider(OPENAI)], 'hi');
    expect(timed.outcome).toMatchObject(limited);
    expect((timed.outcome as Failed).retryAtMs).toBeGreaterThanOrEqual(beforeMs + 30_000);
    expect((timed.outcome as Failed).retryAtMs).toBeLessThan(Date.now() + 31_000);
    expect((await bench.turn([provider(OPENAI)], 'hi')).outcome).toMatchObject({ ...limited, retryAtMs: null });
  });

  it('L18 takes the delay that Gemini gives in its error', async () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '41.5s' }];
    server.react(refusing(429, { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'quota', details } }));
    const { outcome } = await bench.turn([provider(DIALECTS.gemini)], 'hi');
    const inMs = ((outcome as Failed).retryAtMs ?? 0) - Date.now();
    expect(inMs).toBeGreaterThan(40_000);
    expect(inMs).toBeLessThanOrEqual(41_500);
  });

  it.each([
    ['too long', '9999999999999s'],
    ['endless', `${'9'.repeat(400)}s`],
  ])('L18 takes no delay that is %s', async (_what, retryDelay) => {
    server.react(refusing(429, { error: { code: 429, status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay }] } }));
    const { outcome } = await bench.turn([provider(DIALECTS.gemini)], 'hi');
    expect(outcome).toMatchObject({ errorClass: 'rate_limited', retryAtMs: null });
    expect(bench.session.acks().at(-1)).toMatchObject({ status: 'failed', retry_at: null });
  });

  it('L19 is down where nobody listens, and where there is no such name', async () => {
    const { url } = server;
    await server.close();
    const refused = await bench.turn([provider(OPENAI, { url })], 'a');
    expect(refused.outcome).toMatchObject({ errorClass: 'retryable', isDown: true });
    expect((refused.outcome as Failed).error).toBe('the connection failed (ECONNREFUSED)');
    const unnamed = await bench.turn([provider(OPENAI, { url: 'http://no-such-host.invalid/v1' })], 'b');
    expect(unnamed.outcome).toMatchObject({ errorClass: 'retryable', isDown: true });
  });

  it('L19 L20 asks the next provider after one that fell silent, which an aborted call does not abort', async () => {
    const other = await ProviderServer.open();
    try {
      server.react(() => undefined);
      other.react(answering(DIALECTS.anthropic, 'here'));
      const silent = provider(OPENAI, { deadlineMs: 300 });
      const next = provider(DIALECTS.anthropic, { url: `${other.url}/v1` });
      expect(bench.answers(await bench.turn([silent, next], 'hi'))).toEqual(['here']);
      server.react(answering(OPENAI, 'back'));
      expect(bench.answers(await bench.turn([provider(OPENAI), next], 'hi'))).toEqual(['back']);
    } finally {
      await other.close();
    }
    expect(bench.session.providerSession('nightporter_usage')).toMatchObject({ turns: 2, calls: 3 });
  });

  it.each([
    ['anthropic', 'refusal'],
    ['openai', 'content_filter'],
    ['gemini', 'SAFETY'],
  ] as const)('says so where %s keeps the rest of its answer back', async (name, finish) => {
    server.react(ending(DIALECTS[name], finish, 'first'));
    const turned = await bench.turn([provider(DIALECTS[name])], 'hi');
    expect(bench.answers(turned)).toEqual([`first\n\n[This answer was cut off by its provider: ${finish}]`]);
  });

  it('refuses an answer of over 16 MiB', async () => {
    const large = 'x'.repeat(1024 * 1024);
    const events = OPENAI.events([large]);
    const pieces = [events.slice(0, 1), ...Array.from({ length: 17 }, () => events.slice(1, 2))].map(sse);
    server.react((response) => {
      response.writeHead(200, EVENT_STREAM);
      Readable.from(pieces).pipe(response);
    });
    const { outcome } = await bench.turn([provider(OPENAI)], 'hi');
    expect(outcome).toMatchObject({ errorClass: 'fatal', error: 'the answer is larger than 16777216 bytes' });
  });

  it('lets an answer under way come to its end within the grace of a stop', async () => {
    let end = (): void => undefined;
    server.react((response) => {
      response.writeHead(200, EVENT_STREAM);
      response.write(sse(OPENAI.events(['all']).slice(0, 2)));
      end = () => response.end(sse(OPENAI.events(['all']).slice(2)));
    });
    const running = bench.turn([provider(OPENAI, { graceMs: 5_000 })], 'hi');
    await eventually('it is asked', () => server.asked.length === 1);
    bench.stop.abort();
    end();
    expect(bench.answers(await running)).toEqual(['all']);
  });

  it('gives up an answer that does not come within the grace, and releases its message', async () => {
    let isClosed = false;
    server.react((response) => {
      response.once('close', () => (isClosed = true));
      response.writeHead(200, EVENT_STREAM);
      response.write(sse(DIALECTS.anthropic.events(['half']).slice(0, 3)));
    });
    const running = bench.turn([provider(DIALECTS.anthropic)], 'hi');
    await eventually('it is asked', () => bench.progress > 0);
    bench.stop.abort();
    expect((await running).outcome.kind).toBe('unfinished');
    expect(bench.session.acks()).toEqual([]);
    expect(bench.session.providerSession('nightporter_usage')).toMatchObject({ calls: 1, input_tokens: 11 });
    await eventually('the connection is gone', () => isClosed);
  });
});
