type Fields = Readonly<Record<string, unknown>>;

/** What a provider says of what went wrong, in whichever of its places. */
export interface ReplyError {
  /** Of HTTP, or what stands for it in the error itself; null: not told. */
  readonly status: number | null;
  /** Words for programs: `type`, `code`, `status`, `reason`. */
  readonly words: readonly string[];
  readonly message: string;
  /** Where the reply itself says when to try again. */
  readonly retryAfterMs: number | null;
}

/** What a word stands for where no status of HTTP says better: in the middle of a stream, or inside of a 200. */
const STATUS_OF: Readonly<Record<string, number>> = {
  overloaded_error: 529,
  rate_limit_error: 429,
  authentication_error: 401,
  permission_error: 403,
  billing_error: 402,
  not_found_error: 404,
  invalid_request_error: 400,
  request_too_large: 413,
  timeout_error: 504,
  api_error: 500,
  server_error: 500,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  invalid_api_key: 401,
  context_length_exceeded: 400,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
  INTERNAL: 500,
  DEADLINE_EXCEEDED: 504,
  PERMISSION_DENIED: 403,
  UNAUTHENTICATED: 401,
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
};

/** From an error's object, or from what holds one; undefined: there is none. */
export function findReplyError(value: unknown): ReplyError | undefined {
  const holder: unknown = Array.isArray(value) ? value[0] : value;
  if (!isFields(holder)) return undefined;
  const inner = holder['error'];
  if (typeof inner === 'string') return { ...replyError({}), message: inner };
  const error = isFields(inner) ? inner : holder;
  const isError = isFields(inner) || (typeof error['message'] === 'string' && ('type' in error || 'code' in error));
  return isError ? replyError(error) : undefined;
}

/** From the body of a reply; its own text where it has no error in it. */
export function readReplyError(body: string): ReplyError {
  const found = findReplyError(parseJson(body));
  return found ?? { ...replyError({}), message: body.trim().slice(0, 300) };
}

function replyError(error: Fields): ReplyError {
  const { type, code, status, message, metadata } = error;
  const details = Array.isArray(error['details']) ? error['details'].filter(isFields) : [];
  const words = [type, code, status, ...details.map(({ reason }) => reason)].filter((word) => typeof word === 'string');
  const told = [code, status].find((one) => typeof one === 'number' && one >= 400);
  const known = words.flatMap((word) => STATUS_OF[word] ?? []);
  return {
    status: typeof told === 'number' ? told : (known[0] ?? null),
    words,
    message: [message, rawOf(metadata)].filter((text) => typeof text === 'string' && text !== '').join(': '),
    retryAfterMs: delayOf(details),
  };
}

/** What a provider that passes on what others say was told by them. */
function rawOf(metadata: unknown): string | undefined {
  const raw = isFields(metadata) ? metadata['raw'] : undefined;
  if (typeof raw !== 'string') return undefined;
  return findReplyError(parseJson(raw))?.message ?? raw.slice(0, 300);
}

/** `{"@type": "...RetryInfo", "retryDelay": "34.07s"}` */
function delayOf(details: readonly Fields[]): number | null {
  for (const { retryDelay } of details) {
    const seconds = typeof retryDelay === 'string' ? /^(\d+(?:\.\d+)?)s$/.exec(retryDelay)?.[1] : undefined;
    if (seconds !== undefined) return Math.ceil(Number(seconds) * 1000);
  }
  return null;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON: the caller looks at the text.
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
