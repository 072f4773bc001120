const NEWLINE = 0x0a;
/**
 * Splits a stream at newlines, one line in memory at a time. The last line needs no newline.
 * @param maxBytes longest line that is kept
 */
export async function* readLines(chunks, maxBytes) {
    let number = 1;
    let parts = [];
    let bytes = 0;
    const add = (part) => {
        bytes += part.byteLength;
        if (bytes > maxBytes)
            parts = [];
        else
            parts.push(part);
    };
    const take = () => {
        const line = { number, bytes: bytes > maxBytes ? undefined : Buffer.concat(parts) };
        number += 1;
        parts = [];
        bytes = 0;
        return line;
    };
    for await (const chunk of chunks) {
        let start = 0;
        for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
            add(chunk.subarray(start, end));
            start = end + 1;
            yield take();
        }
        add(chunk.subarray(start));
    }
    if (bytes > 0)
        yield take();
}
//# sourceMappingURL=read-lines.js.map