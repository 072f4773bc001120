const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DURATION = /^(\d[\d_]*(?:\.\d+)?)\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)?$/i;
const DURATION_UNITS = [
    [/^ms$/, 1],
    [/^s/, SECOND],
    [/^m/, MINUTE],
    [/^h/, HOUR],
    [/^d/, DAY],
];
const SIZE = /^(\d[\d_]*(?:\.\d+)?)\s*(b|[kmgt]i?b?)?$/i;
const KIB = 1024;
/** Milliseconds from a number of them or from text such as `60s`, `10m`, `2h`, `5 min`; undefined when it is neither. */
export function parseDuration(found) {
    if (typeof found === 'number')
        return Number.isSafeInteger(found) ? found : undefined;
    const match = typeof found === 'string' ? DURATION.exec(found.trim()) : null;
    if (match === null)
        return undefined;
    const unit = (match[2] ?? 'ms').toLowerCase();
    const factor = DURATION_UNITS.find(([pattern]) => pattern.test(unit))?.[1] ?? 1;
    return wholeOrUndefined(match[1], factor);
}
/** Bytes from a number of them or from text such as `512MiB`, `2g` (powers of 1024, as Docker reads them); undefined when neither. */
export function parseBytes(found) {
    if (typeof found === 'number')
        return Number.isSafeInteger(found) ? found : undefined;
    const match = typeof found === 'string' ? SIZE.exec(found.trim()) : null;
    if (match === null)
        return undefined;
    const power = 'bkmgt'.indexOf((match[2] ?? 'b').charAt(0).toLowerCase());
    return wholeOrUndefined(match[1], KIB ** power);
}
/** `90000` is `90 s`: the largest unit in which it is a whole number. */
export function formatDuration(durationMs) {
    if (durationMs === 0)
        return '0';
    if (durationMs % DAY === 0)
        return `${durationMs / DAY} d`;
    if (durationMs % HOUR === 0)
        return `${durationMs / HOUR} h`;
    if (durationMs % MINUTE === 0)
        return `${durationMs / MINUTE} min`;
    if (durationMs % SECOND === 0)
        return `${durationMs / SECOND} s`;
    return `${durationMs} ms`;
}
export function formatBytes(size) {
    for (const [power, name] of [
        [3, 'GiB'],
        [2, 'MiB'],
        [1, 'KiB'],
    ]) {
        if (size >= KIB ** power && size % KIB ** power === 0)
            return `${size / KIB ** power} ${name}`;
    }
    return `${size} B`;
}
function wholeOrUndefined(digits, factor) {
    const value = Math.round(Number(digits?.replaceAll('_', '')) * factor);
    return Number.isSafeInteger(value) ? value : undefined;
}
//# sourceMappingURL=units.js.map