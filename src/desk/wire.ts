import type { ErrorCode } from '../protocol/errors.js';

/** What the daemon's HTTP API and its client agree on. */
export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** Lines of a streamed answer; without an `end` it was cut off. */
export type StreamLine<T> = { readonly row: T } | { readonly problem: string } | ErrorBody | { readonly end: true };

export interface PingBody {
  readonly pid: number;
  readonly dataDir: string;
}

export const HTTP_STATUS = {
  failed: 500,
  usage: 400,
  not_found: 404,
  unavailable: 503,
  refused: 409,
} as const satisfies Record<ErrorCode, number>;

export const NDJSON = 'application/x-ndjson';

/** `/v1/sessions/<group>/<session><rest>`; what is no address gets a path of its own, so that the daemon can say so. */
export function sessionPath(session: string, rest = ''): string {
  const slash = session.indexOf('/');
  const [group, name] = slash < 0 ? [session, ''] : [session.slice(0, slash), session.slice(slash + 1)];
  return `/v1/sessions/${encodeURIComponent(group)}/${encodeURIComponent(name)}${rest}`;
}
