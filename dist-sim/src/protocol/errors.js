/** Base of all errors that people see. The message says what, where and what to do. */
export class NightporterError extends Error {
    code;
    constructor(code, message, options) {
        super(message, options);
        this.name = new.target.name;
        this.code = code;
    }
}
/** The engine is down, hung or broken: retried, told after a while, never counted against a session. */
export class RuntimeUnavailable extends NightporterError {
    constructor(message, options) {
        super('unavailable', message, options);
    }
}
/** No space left: nothing was written, and it works again once there is space. */
export class DiskFull extends NightporterError {
    constructor(message, options) {
        super('failed', message, options);
    }
}
//# sourceMappingURL=errors.js.map