const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
/** A name of a group, session or message: 1 to 128 of `A-Z a-z 0-9 _ . -`, first a letter or digit, no `..`. */
export function isName(text) {
    return NAME.test(text) && !text.includes('..');
}
export const NAME_RULE = '1 to 128 of A-Z a-z 0-9 _ . -, starting with a letter or digit, without ".."';
/** Parses `group/session`; undefined when it is not one. */
export function findAddress(text) {
    const slash = text.indexOf('/');
    if (slash < 0)
        return undefined;
    const group = text.slice(0, slash);
    const session = text.slice(slash + 1);
    if (!isName(group) || !isName(session))
        return undefined;
    return { address: text, group: group, session: session };
}
/** Splits an address that was validated before. */
export function splitAddress(address) {
    const parts = findAddress(address);
    if (parts === undefined)
        throw new Error(`not a session address: ${JSON.stringify(address)}`);
    return parts;
}
export function addressOf(group, session) {
    return `${group}/${session}`;
}
export function epochOf(value) {
    if (!Number.isSafeInteger(value) || value < 0)
        throw new Error(`not an epoch: ${String(value)}`);
    return value;
}
//# sourceMappingURL=address.js.map