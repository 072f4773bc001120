const SQL_TIME = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i;
const ISO_MILLIS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const DATE_ONLY = /^\d{4}-\d{2}-\d{2}$/;
/**
 * Reads a text time of a session file as epoch milliseconds. Without a zone it is UTC (never local time).
 * Accepts `YYYY-MM-DD`, `YYYY-MM-DD HH:MM[:SS[.fff]]` and ISO 8601; undefined for anything else.
 */
export function parseInstant(text) {
    if (ISO_MILLIS.test(text)) {
        // As `formatInstant` writes it: by far the most frequent, read in a third of the time.
        const instant = Date.parse(text);
        return !Number.isNaN(instant) && formatInstant(instant) === text ? instant : undefined;
    }
    const trimmed = text.trim();
    const match = SQL_TIME.exec(DATE_ONLY.test(trimmed) ? `${trimmed}T00:00` : trimmed);
    if (match === null)
        return undefined;
    const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = match;
    const millis = fraction.slice(0, 3).padEnd(3, '0');
    const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
    const whole = `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second}`;
    // Date.parse rolls 30 February over to March; such a text is refused instead.
    const calendar = Date.parse(`${whole}Z`);
    if (Number.isNaN(calendar) || !new Date(calendar).toISOString().startsWith(whole))
        return undefined;
    return validOrUndefined(Date.parse(`${whole}.${millis}${offset}`));
}
/** ISO 8601 with milliseconds and `Z`. */
export function formatInstant(epochMs) {
    return new Date(epochMs).toISOString();
}
/** True when a text time carries no fraction of a second: it may be up to 999 ms earlier than what it names. */
export function isSecondGranular(text) {
    return !/\d\.\d/.test(text);
}
/** Whether a text time is at or after a start in milliseconds, a second-granular text given its whole second. */
export function isAtOrAfter(text, startMs) {
    const instant = parseInstant(text);
    if (instant === undefined)
        return false;
    return instant >= (isSecondGranular(text) ? Math.floor(startMs / 1000) * 1000 : startMs);
}
function validOrUndefined(value) {
    return Number.isNaN(value) ? undefined : value;
}
//# sourceMappingURL=times.js.map