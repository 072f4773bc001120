/** Whether a text names a time zone that this machine knows: `Europe/Berlin`, `UTC`. */
export function isZone(zone) {
    try {
        return Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== '';
    }
    catch {
        return false;
    }
}
/** The names of all zones that this machine knows. */
export function knownZones() {
    return [...Intl.supportedValuesOf('timeZone'), 'UTC'];
}
//# sourceMappingURL=zones.js.map