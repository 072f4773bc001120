import { streamText } from 'ai';
import type { LanguageModel, ModelMessage } from 'ai';
import type { Usage } from '../usage.js';
import { NO_USAGE } from '../usage.js';
import { findReplyError } from './reply-error.js';
import type { ReplyError } from './reply-error.js';

/** What came of a call, as far as it came. */
export interface Reply {
  readonly text: string;
  /** The provider's word for the end of the answer; undefined: the stream has none. */
  readonly finish: string | undefined;
  /** What it said went wrong. */
  readonly told: ReplyError | undefined;
  /** What was thrown on the way; nothing of it may be logged as it is. */
  readonly thrown: unknown;
  readonly usage: Usage;
  /** The text is larger than allowed, and was cut off. */
  readonly isTooLarge: boolean;
}

export interface Question {
  readonly model: LanguageModel;
  readonly messages: readonly { readonly role: 'user' | 'assistant'; readonly content: string }[];
  readonly signal: AbortSignal;
  readonly maxTextBytes: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** One request, streamed to its end; nothing is tried again here. Does not throw. */
export async function ask({ model, messages, signal, maxTextBytes }: Question): Promise<Reply> {
  // It would print them.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  let text = '';
  let bytes = 0;
  let finish: string | undefined;
  let told: ReplyError | undefined;
  let thrown: unknown;
  let usage = NO_USAGE;
  const reply = (isTooLarge: boolean): Reply => ({ text, finish, told, thrown, usage, isTooLarge });
  try {
    const { fullStream } = streamText({
      model,
      messages: [...messages] as ModelMessage[],
      maxRetries: 0,
      abortSignal: signal,
      includeRawChunks: true,
      onError: () => undefined,
    });
    for await (const part of fullStream) {
      if (part.type === 'raw') {
        told ??= errorIn(part.rawValue);
        usage = usageIn(part.rawValue, usage);
      } else if (part.type === 'text-delta') {
        bytes += Buffer.byteLength(part.text);
        if (bytes > maxTextBytes) return reply(true);
        text += part.text;
      } else if (part.type === 'finish-step') {
        finish = part.rawFinishReason;
        usage = stepUsage(part.usage, part.providerMetadata, usage);
      } else if (part.type === 'error') thrown ??= part.error;
    }
  } catch (error) {
    thrown ??= error;
  }
  return reply(false);
}

/** Only what is named as one: an event of a stream has many shapes. */
function errorIn(event: unknown): ReplyError | undefined {
  return 'error' in fieldsOf(event) && fieldsOf(event)['error'] !== null ? findReplyError(event) : undefined;
}

function stepUsage(
  { inputTokens, outputTokens }: { inputTokens: number | undefined; outputTokens: number | undefined },
  metadata: unknown,
  before: Usage,
): Usage {
  const { cost } = fieldsOf(fieldsOf(fieldsOf(metadata)['openrouter'])['usage']);
  return {
    inputTokens: inputTokens ?? before.inputTokens,
    outputTokens: outputTokens ?? before.outputTokens,
    costUsd: typeof cost === 'number' ? cost : before.costUsd,
  };
}

/** What a stream that never came to its end had told by then. */
function usageIn(event: unknown, before: Usage): Usage {
  const fields = fieldsOf(event);
  const found = fields['usage'] ?? fields['usageMetadata'] ?? fieldsOf(fields['message'])['usage'];
  const of = (names: readonly string[], otherwise: number): number => {
    const figures = names.map((name) => fieldsOf(found)[name]).filter((one) => typeof one === 'number');
    return figures[0] ?? otherwise;
  };
  return {
    inputTokens: of(['input_tokens', 'prompt_tokens', 'promptTokenCount'], before.inputTokens),
    outputTokens: of(['output_tokens', 'completion_tokens', 'candidatesTokenCount'], before.outputTokens),
    costUsd: of(['cost'], before.costUsd),
  };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
