/** What went wrong between us and a provider, without anything that a request held. */
export type CallFailure =
  /** No connection, or none any more; `code`: the system's word for it. */
  | { readonly kind: 'unreachable'; readonly code: string }
  | { readonly kind: 'silent'; readonly deadlineMs: number }
  | { readonly kind: 'too_large'; readonly maxBytes: number }
  /** Not what an API says: a page, or what cannot be read. */
  | { readonly kind: 'no_api'; readonly status: number; readonly headers: Headers }
  | { readonly kind: 'refused'; readonly status: number; readonly headers: Headers; readonly body: string };

/** Thrown by `watchedFetch`, through the SDK, to whoever called. */
export class CallFailed extends Error {
  readonly failure: CallFailure;

  constructor(failure: CallFailure) {
    super(failure.kind);
    this.name = 'CallFailed';
    this.failure = failure;
  }
}

/** The one inside of whatever was made of it on the way. */
export function findCallFailure(error: unknown): CallFailure | undefined {
  for (let one = error, depth = 0; depth < 8 && typeof one === 'object' && one !== null; depth += 1) {
    if (one instanceof CallFailed) return one.failure;
    one = 'cause' in one ? one.cause : undefined;
  }
  return undefined;
}
