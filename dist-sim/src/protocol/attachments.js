/** Longest name of an attachment, in bytes of UTF-8: what file systems take. */
export const ATTACHMENT_NAME_MAX_BYTES = 255;
// Control characters, and what turns the direction of a line: names are shown on terminals and in pages.
const UNSHOWABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]/u;
/** Why a text is no name of an attachment; undefined: it is one, a single safe part of a path. */
export function attachmentNameProblem(name) {
    if (name === '')
        return 'it is empty';
    if (name.includes('/'))
        return 'it has a "/"';
    if (name.startsWith('.'))
        return 'it begins with a dot';
    if (name.includes('..'))
        return 'it has ".."';
    if (UNSHOWABLE.test(name))
        return 'it has characters that cannot be shown';
    const bytes = utf8.encode(name).length;
    if (bytes > ATTACHMENT_NAME_MAX_BYTES)
        return `it has ${bytes} bytes, the most is ${ATTACHMENT_NAME_MAX_BYTES}`;
    return undefined;
}
const utf8 = new TextEncoder();
//# sourceMappingURL=attachments.js.map