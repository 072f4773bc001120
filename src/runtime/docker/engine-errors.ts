import { RuntimeUnavailable } from '../../protocol/errors.js';

/** The engine answered no: its HTTP status below 500 and its own words. */
export class EngineAnswer extends Error {
  readonly status: number;
  constructor(status: number, detail: string, options?: { cause: unknown }) {
    super(detail, options);
    this.name = new.target.name;
    this.status = status;
  }
}

export interface FailedCall {
  /** `create container np-...`: what was tried. */
  readonly what: string;
  /** Of the engine. */
  readonly url: string;
  /** Undefined: the call was not ended by its deadline. */
  readonly timedOutAfterMs: number | undefined;
}

/** The one place where the engine's errors become ours: an EngineAnswer, or RuntimeUnavailable for everything else. */
export function translateEngineError(error: unknown, call: FailedCall): EngineAnswer | RuntimeUnavailable {
  if (error instanceof EngineAnswer || error instanceof RuntimeUnavailable) return error;
  const { what, url, timedOutAfterMs } = call;
  if (timedOutAfterMs !== undefined) {
    return new RuntimeUnavailable(`${what}: the engine at ${url} did not answer within ${timedOutAfterMs} ms`, {
      cause: error,
    });
  }
  const status = numberOf(error, 'statusCode');
  if (status === undefined) {
    const text = `${what}: the engine at ${url} cannot be reached: ${messageOf(error)}${adviceFor(error)}`;
    return new RuntimeUnavailable(text, { cause: error });
  }
  const detail = wordsOf(error);
  const podmanStatus = PODMAN_STATUSES.get(podmanCauseOf(error));
  if (podmanStatus !== undefined) return new EngineAnswer(podmanStatus, detail, { cause: error });
  if (isEngineState(status, detail)) {
    const answer = new EngineAnswer(status, detail, { cause: error });
    return new RuntimeUnavailable(`${what}: the engine at ${url} failed (${status}): ${detail}`, { cause: answer });
  }
  return new EngineAnswer(status, detail, { cause: error });
}

/** What Podman answers with 500 although it is a plain no, by the `cause` of its answers, and Docker's status for it. */
const PODMAN_STATUSES: ReadonlyMap<string, number> = new Map([
  ['no such container', 404],
  ['that name is already in use', 409],
  ['container already exists', 409],
  ['container state improper', 409],
  ['network not found', 400],
]);

/** What of a start's failures is about the program or spec rather than the engine, whatever status it came with. */
const PROGRAM_FAULT =
  /executable file .*not found|OCI runtime (create|exec|attempted|error)|exec format error|exec: "|no such file or directory: unknown/i;
/** Troubles of the host that dress up as one of the above. */
const HOST_FAULT =
  /no space left|too many open files|cannot allocate memory|resource temporarily unavailable|i\/o timeout|deadline exceeded|input\/output error|read-only file system: unknown/i;

function isEngineState(status: number, detail: string): boolean {
  if (HOST_FAULT.test(detail)) return true;
  if (status >= 500) return !PROGRAM_FAULT.test(detail);
  return status === 408 || status === 429;
}

function adviceFor(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'EACCES') return ' (may this user use it? Add it to the engine\'s group, "docker" as a rule)';
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return ' (is the engine started?)';
  return '';
}

/** The engine's own words: dockerode keeps the body as `json` and puts "(HTTP code 400) ..." around it. */
function wordsOf(error: unknown): string {
  const json = recordAt(error, 'json');
  if (typeof json?.['message'] === 'string') return json['message'].trim();
  if (typeof json?.['cause'] === 'string') return json['cause'].trim();
  return messageOf(error).trim();
}

/** Docker's answers have none. */
function podmanCauseOf(error: unknown): string {
  const json = recordAt(error, 'json');
  return typeof json?.['cause'] === 'string' ? json['cause'] : '';
}

function recordAt(value: unknown, key: string): Record<string, unknown> | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function numberOf(error: unknown, key: string): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value = (error as Record<string, unknown>)[key];
  return typeof value === 'number' ? value : undefined;
}
