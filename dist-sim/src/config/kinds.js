import * as z from 'zod';
import { isZone } from '../protocol/zones.js';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.js';
/** The facts of every setting, by its schema. */
export const FACTS = z.registry();
/** Every kind is a schema of what may come as YAML value, as text of a variable or as a flag. */
export function kind(read, fallback, facts) {
    const schema = z.unknown().transform((found, context) => {
        const value = read(found);
        if (value !== undefined)
            return value;
        context.addIssue({ code: 'custom', message: `must be ${facts.allowed}` });
        return z.NEVER;
    });
    return z.prefault(schema, fallback).register(FACTS, facts);
}
function within(range, value) {
    return value !== undefined && value >= range.min && value <= range.max ? value : undefined;
}
function readInteger(found) {
    const number = readNumber(found);
    return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
}
function readNumber(found) {
    if (typeof found === 'number')
        return Number.isFinite(found) ? found : undefined;
    if (typeof found !== 'string' || !/^[+-]?\d[\d_]*(\.\d+)?$/.test(found.trim()))
        return undefined;
    return Number(found.trim().replaceAll('_', ''));
}
function oneOf(choices) {
    return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1) ?? ''}`;
}
function durationRange({ min, max }) {
    return `${formatDuration(min)} to ${formatDuration(max)}`;
}
function durationRule(range) {
    return `a duration from ${durationRange(range)} (milliseconds, or text such as 90s, 10m, 2h)`;
}
export function duration({ section, text, min, max, ...rest }) {
    return kind((found) => within({ min, max }, parseDuration(found)), rest.default, {
        section,
        text,
        unit: 'milliseconds',
        allowed: durationRule({ min, max }),
        range: durationRange({ min, max }),
        shown: formatDuration(rest.default),
        secret: false,
    });
}
/** A duration that may be left out, by leaving it away or by the word `unset`; `shown` says what happens then. */
export function optionalDuration({ section, text, min, max, unset, shown, }) {
    const isUnset = (found) => found === null || (unset === 'off' && found === false);
    const isWord = (found) => typeof found === 'string' && found.trim().toLowerCase() === unset;
    const read = (found) => isUnset(found) || isWord(found) ? null : within({ min, max }, parseDuration(found));
    return kind(read, null, {
        section,
        text,
        unit: 'milliseconds',
        allowed: `${durationRule({ min, max })}, or ${unset}`,
        range: `${durationRange({ min, max })}, or ${unset}`,
        shown,
        secret: false,
    });
}
export function bytes({ section, text, min, max, ...rest }) {
    return kind((found) => within({ min, max }, parseBytes(found)), rest.default, {
        section,
        text,
        unit: 'bytes',
        allowed: `a size from ${formatBytes(min)} to ${formatBytes(max)} (bytes, or text such as 512MiB, 2GiB)`,
        range: `${formatBytes(min)} to ${formatBytes(max)}`,
        shown: formatBytes(rest.default),
        secret: false,
    });
}
export function count({ section, text, min, max, ...rest }) {
    return kind((found) => within({ min, max }, readInteger(found)), rest.default, {
        section,
        text,
        unit: 'count',
        allowed: `a whole number from ${min} to ${max}`,
        range: `${min} to ${max}`,
        shown: String(rest.default),
        secret: false,
    });
}
export function cores({ section, text, min, max, ...rest }) {
    return kind((found) => within({ min, max }, readNumber(found)), rest.default, {
        section,
        text,
        unit: 'cores',
        allowed: `a number from ${min} to ${max}`,
        range: `${min} to ${max}`,
        shown: String(rest.default),
        secret: false,
    });
}
/** How long something is kept. Fails safe: below 0 is 0, above is the longest; what is no number is left to the loader. */
export function days({ section, text, max, ...rest }) {
    const read = (found) => {
        const number = readNumber(found);
        return number === undefined ? undefined : Math.min(max, Math.max(0, number));
    };
    return kind(read, rest.default, {
        section,
        text,
        unit: 'days',
        allowed: `a number of days from 0 (kept for ever) to ${max}`,
        range: `0 (for ever) to ${max} days`,
        shown: String(rest.default),
        secret: false,
    });
}
export function choice({ section, text, choices, ...rest }) {
    return kind((found) => (typeof found === 'string' ? choices.find((known) => known === found.trim().toLowerCase()) : undefined), rest.default, {
        section,
        text,
        unit: 'choice',
        allowed: oneOf(choices),
        range: oneOf(choices),
        shown: rest.default,
        secret: false,
    });
}
export function yesNo({ section, text, ...rest }) {
    const read = (found) => {
        if (typeof found === 'boolean')
            return found;
        const word = String(found).trim().toLowerCase();
        if (['yes', 'true', 'on', '1'].includes(word))
            return true;
        return ['no', 'false', 'off', '0'].includes(word) ? false : undefined;
    };
    const shown = rest.default ? 'yes' : 'no';
    return kind(read, rest.default, {
        section,
        text,
        unit: 'yes or no',
        allowed: 'yes or no',
        range: 'yes or no',
        shown,
        secret: false,
    });
}
function readWord(found, pattern) {
    return typeof found === 'string' && pattern.test(found.trim()) ? found.trim() : undefined;
}
export function word({ section, text, pattern, allowed, range, ...rest }) {
    return kind((found) => readWord(found, pattern), rest.default, {
        section,
        text,
        unit: 'text',
        allowed,
        range,
        shown: rest.default,
        secret: false,
    });
}
/** A time zone by its name. */
export function zone({ section, text, ...rest }) {
    return kind((found) => (typeof found === 'string' && isZone(found) ? found : undefined), rest.default, {
        section,
        text,
        unit: 'text',
        allowed: 'the name of a time zone, such as Europe/Berlin',
        range: 'a time zone',
        shown: rest.default,
        secret: false,
    });
}
/** A word that may be left out; `shown` says what happens then. */
export function optionalWord({ section, text, pattern, allowed, range, shown }) {
    return kind((found) => (found === null ? null : readWord(found, pattern)), null, {
        section,
        text,
        unit: 'text',
        allowed,
        range,
        shown,
        secret: false,
    });
}
//# sourceMappingURL=kinds.js.map