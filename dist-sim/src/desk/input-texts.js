import { findAddress, isName, NAME_RULE } from '../protocol/address.js';
import { NightporterError } from '../protocol/errors.js';
import { parseInstant } from '../protocol/times.js';
/** @throws NightporterError `usage` */
export function requireAddress(text) {
    const parts = findAddress(text);
    if (parts !== undefined)
        return parts;
    throw new NightporterError('usage', `${quoted(text)} is no session address: write group/session, each part ${NAME_RULE}`);
}
/** @throws NightporterError `usage` */
export function requireName(text, what) {
    if (isName(text))
        return text;
    throw new NightporterError('usage', `${quoted(text)} is no ${what}: it must be ${NAME_RULE}`);
}
/** @returns epoch milliseconds. @throws NightporterError `usage` */
export function requireInstant(text, what) {
    const instant = parseInstant(text);
    if (instant !== undefined)
        return instant;
    throw new NightporterError('usage', `${quoted(text)} is no time for ${what}: write it like 2030-01-31T08:30:00Z or "2030-01-31 08:30" (UTC where no zone is given)`);
}
const UNIT_MS = {
    s: 1_000,
    m: 60_000,
    h: 3_600_000,
    d: 86_400_000,
    w: 604_800_000,
};
/** @returns milliseconds. @throws NightporterError `usage` */
export function requireDuration(text, what) {
    const [, count, unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text.trim()) ?? [];
    const ms = Number(count) * (UNIT_MS[unit] ?? NaN);
    if (Number.isSafeInteger(ms))
        return ms;
    throw new NightporterError('usage', `${quoted(text)} is no duration for ${what}: write it like 90m, 12h or 7d`);
}
/** What someone typed, short and on one line. */
export function quoted(text) {
    return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
//# sourceMappingURL=input-texts.js.map