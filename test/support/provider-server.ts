import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpProviderName } from '../../container/agent-runner/src/provider-choice.js';

export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Parsed. */
  readonly body: unknown;
}

/** How a request is answered; its end is whatever the function leaves. */
export type Reaction = (response: ServerResponse, asked: Asked) => void | Promise<void>;

/** A server on loopback in the place of a provider's. */
export class ProviderServer {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  #reactions: readonly Reaction[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<ProviderServer> {
    const server = createServer();
    const opened = new ProviderServer(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
        const asked = { path: request.url ?? '', headers: request.headers, body };
        opened.asked.push(asked);
        const reactions = opened.#reactions;
        void reactions[Math.min(opened.asked.length, reactions.length) - 1]?.(response, asked);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return opened;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The last one for all further requests. */
  react(...reactions: readonly Reaction[]): void {
    this.#reactions = reactions;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

type Json = Readonly<Record<string, unknown>>;

/** What a provider's API looks like from outside. */
export interface Dialect {
  readonly name: HttpProviderName;
  readonly keyVariable: string;
  readonly path: RegExp;
  /** Where the key has to be. */
  keyIn(headers: IncomingHttpHeaders): unknown;
  /** `role: text` of what was said. */
  said(body: unknown): readonly string[];
  /** The events of an answer, the end included. */
  events(texts: readonly string[], finish?: string): readonly (readonly [string | null, unknown])[];
  /** In tokens; what `events` says that it cost. */
  readonly cost: { readonly input: number; readonly output: number; readonly usd: number };
}

const chunk = (delta: Json, finish: string | null, more: Json = {}): readonly [null, unknown] => [
  null,
  {
    ...{ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', provider: 'P' },
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more,
  },
];

function openAiLike(name: HttpProviderName, keyVariable: string, usd = 0): Dialect {
  const usage = { prompt_tokens: 11, completion_tokens: 5, total_tokens: 16, ...(usd > 0 ? { cost: usd } : {}) };
  return {
    name,
    keyVariable,
    path: /\/chat\/completions$/,
    keyIn: ({ authorization }) => authorization?.replace('Bearer ', ''),
    said: (body) => {
      const { messages } = body as { messages: { role: string; content: string | { text: string }[] }[] };
      return messages.map(
        ({ role, content }) => `${role}: ${typeof content === 'string' ? content : partsOf(content)}`,
      );
    },
    events: (texts, finish = 'stop') => [
      chunk({ role: 'assistant', content: '' }, null),
      ...texts.map((content) => chunk({ content }, null)),
      chunk({}, finish),
      [null, { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage }],
      [null, '[DONE]'],
    ],
    cost: { input: 11, output: 5, usd },
  };
}

function partsOf(parts: readonly { readonly text: string }[]): string {
  return parts.map(({ text }) => text).join('');
}

const ANTHROPIC: Dialect = {
  name: 'anthropic',
  keyVariable: 'ANTHROPIC_API_KEY',
  path: /\/messages$/,
  keyIn: (headers) => headers['x-api-key'],
  said: (body) =>
    (body as { messages: { role: string; content: { text: string }[] }[] }).messages.map(
      ({ role, content }) => `${role}: ${partsOf(content)}`,
    ),
  events: (texts, finish = 'end_turn') => {
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null };
    const delta = (text: string): Json => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text },
    });
    const block = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } };
    const usage = { input_tokens: 11, output_tokens: 1 };
    const events: Json[] = [
      { type: 'message_start', message: { ...message, stop_sequence: null, usage } },
      ...(texts.length > 0 ? [block, ...texts.map(delta), { type: 'content_block_stop', index: 0 }] : []),
      { type: 'message_delta', delta: { stop_reason: finish, stop_sequence: null }, usage: { output_tokens: 5 } },
      { type: 'message_stop' },
    ];
    return events.map((event) => [event['type'] as string, event]);
  },
  cost: { input: 11, output: 5, usd: 0 },
};

const GEMINI: Dialect = {
  name: 'gemini',
  keyVariable: 'GOOGLE_GENERATIVE_AI_API_KEY',
  path: /\/models\/m:streamGenerateContent\?alt=sse$/,
  keyIn: (headers) => headers['x-goog-api-key'],
  said: (body) =>
    (body as { contents: { role: string; parts: { text: string }[] }[] }).contents.map(
      ({ role, parts }) => `${role === 'model' ? 'assistant' : role}: ${partsOf(parts)}`,
    ),
  events: (texts, finish = 'STOP') => [
    ...texts.map(
      (text) => [null, { candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0 }] }] as const,
    ),
    [
      null,
      {
        candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: finish, index: 0 }],
        usageMetadata: { promptTokenCount: 11, candidatesTokenCount: 5, totalTokenCount: 16 },
      },
    ],
  ],
  cost: { input: 11, output: 5, usd: 0 },
};

export const DIALECTS: Readonly<Record<HttpProviderName, Dialect>> = {
  anthropic: ANTHROPIC,
  openai: openAiLike('openai', 'OPENAI_API_KEY'),
  openrouter: openAiLike('openrouter', 'OPENROUTER_API_KEY', 0.002),
  gemini: GEMINI,
  'openai-compatible': openAiLike('openai-compatible', 'OPENAI_COMPATIBLE_API_KEY'),
};

/** Lines of a stream of events. */
export function sse(events: readonly (readonly [string | null, unknown])[]): string {
  return events
    .map(([name, data]) => {
      const line = typeof data === 'string' ? data : JSON.stringify(data);
      return `${name === null ? '' : `event: ${name}\n`}data: ${line}\n\n`;
    })
    .join('');
}

export const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8' };

/** A whole answer. */
export function answering(dialect: Dialect, ...texts: readonly string[]): Reaction {
  return (response) => {
    response.writeHead(200, EVENT_STREAM);
    response.end(sse(dialect.events(texts)));
  };
}

/** An answer, as far as it goes, that ends for this reason. */
export function ending(dialect: Dialect, finish: string, ...texts: readonly string[]): Reaction {
  return (response) => {
    response.writeHead(200, EVENT_STREAM);
    response.end(sse(dialect.events(texts, finish)));
  };
}

export function refusing(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reaction {
  return (response) => {
    const isText = typeof body === 'string';
    response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json', ...headers });
    response.end(isText ? body : JSON.stringify(body));
  };
}
