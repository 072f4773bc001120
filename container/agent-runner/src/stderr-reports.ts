import { isErrorClass } from '../../../src/protocol/rows.js';
import type { ErrorClass } from '../../../src/protocol/rows.js';
import { parseInstant } from '../../../src/protocol/times.js';

/** What a program said about itself, the last word on each. */
export interface Report {
  readonly errorClass: ErrorClass | null;
  readonly error: string | null;
  readonly retryAtMs: number | null;
  readonly providerSession: string | null;
}

/** undefined `tool`: not mentioned; null: none runs any more. */
export interface Mention {
  readonly tool?: { readonly name: string; readonly timeoutMs: number | null } | null;
}

/** The last bytes of stderr that are kept as the error's text. */
const TAIL_BYTES = 4096;
/** A longer line is no report. */
const MAX_REPORT_BYTES = 16 * 1024;
/** A session id as programs print them: one line, nothing that a terminal or an environment could choke on. */
export const PROVIDER_SESSION = /^[\x21-\x7e]{1,512}$/;
const TOOL_NAME = /^[\x20-\x7e]{1,200}$/;

/**
 * Reads a program's stderr. A line that is one JSON object `{"nightporter": {...}}` is a report; all are optional:
 * - `error_class`: retryable | fatal | rate_limited | context_overflow | resume_invalid; counts if the exit code is not 0;
 * - `error`: text for people, instead of the last 4 KiB of stderr;
 * - `retry_at`: time (UTC without a zone) before which a rate-limited turn is not worth a try;
 * - `provider_session`: the program's own session id, given to the next turn as `resume`; kept if the turn succeeds;
 * - `tool` and `tool_timeout_ms`: a tool runs that may take so long (`"tool": null`: it has ended);
 * - `progress`: anything; the line itself is the sign.
 * What is unknown or malformed in a report is ignored. All other lines are text.
 */
export class StderrReader {
  #pending = Buffer.alloc(0);
  /** The line under way is over MAX_REPORT_BYTES. */
  #overlong = false;
  #tail = Buffer.alloc(0);
  #report: Report = { errorClass: null, error: null, retryAtMs: null, providerSession: null };
  readonly #onMention: (mention: Mention) => void;

  constructor(onMention: (mention: Mention) => void) {
    this.#onMention = onMention;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.#extend(rest.subarray(0, end + 1));
      this.#endLine();
      rest = rest.subarray(end + 1);
    }
    this.#extend(rest);
  }

  /** At the end of the stream. */
  end(): { readonly report: Report; readonly tail: string } {
    this.#endLine();
    return { report: this.#report, tail: decodeTail(this.#tail).trim() };
  }

  #extend(bytes: Buffer): void {
    if (!this.#overlong && this.#pending.length + bytes.length <= MAX_REPORT_BYTES) {
      this.#pending = Buffer.concat([this.#pending, bytes]);
      return;
    }
    this.#overlong = true;
    this.#keep(this.#pending);
    this.#keep(bytes);
    this.#pending = Buffer.alloc(0);
  }

  #endLine(): void {
    const line = this.#pending;
    this.#pending = Buffer.alloc(0);
    const isReport = !this.#overlong && line.length > 0 && this.#readReport(line.toString('utf8').trim());
    this.#overlong = false;
    if (!isReport) this.#keep(line);
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
  }

  #readReport(line: string): boolean {
    const said = parseReport(line);
    if (said === undefined) return false;
    const { error_class: errorClass, error, retry_at: retryAt, provider_session: session, tool } = said;
    this.#report = {
      errorClass: typeof errorClass === 'string' && isErrorClass(errorClass) ? errorClass : this.#report.errorClass,
      error: typeof error === 'string' && error !== '' ? error : this.#report.error,
      retryAtMs: (typeof retryAt === 'string' ? parseInstant(retryAt) : undefined) ?? this.#report.retryAtMs,
      providerSession:
        typeof session === 'string' && PROVIDER_SESSION.test(session) ? session : this.#report.providerSession,
    };
    if (tool === null) this.#onMention({ tool: null });
    else if (typeof tool === 'string' && TOOL_NAME.test(tool)) {
      const timeoutMs = said['tool_timeout_ms'];
      const isTime = typeof timeoutMs === 'number' && Number.isSafeInteger(timeoutMs) && timeoutMs > 0;
      this.#onMention({ tool: { name: tool, timeoutMs: isTime ? timeoutMs : null } });
    }
    return true;
  }
}

function parseReport(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{') || !line.includes('"nightporter"')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    const said: unknown =
      typeof value === 'object' && value !== null && 'nightporter' in value ? value.nightporter : undefined;
    if (typeof said !== 'object' || said === null || Array.isArray(said)) return undefined;
    return said as Readonly<Record<string, unknown>>;
  } catch {
    // Looks like one but is not: text.
    return undefined;
  }
}

/** Without the half of a character that the cut may have left in front. */
function decodeTail(bytes: Buffer): string {
  let start = 0;
  while (start < 3 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start).toString('utf8');
}
