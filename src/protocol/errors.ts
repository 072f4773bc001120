/** What went wrong, by the exit code that the command line gives it. */
export type ErrorCode =
  | 'failed' // 1
  | 'usage' // 2
  | 'not_found' // 3
  | 'unavailable' // 4: no daemon or engine
  | 'refused'; // 5: already running, held, wrong state

/** Base of all errors that people see. The message says what, where and what to do. */
export class NightporterError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The engine is down, hung or broken: retried, told after a while, never counted against a session. */
export class RuntimeUnavailable extends NightporterError {
  constructor(message: string, options?: { cause: unknown }) {
    super('unavailable', message, options);
  }
}

/** No space left: nothing was written, and it works again once there is space. */
export class DiskFull extends NightporterError {
  constructor(message: string, options?: { cause: unknown }) {
    super('failed', message, options);
  }
}
