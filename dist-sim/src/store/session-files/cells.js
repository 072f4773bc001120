/** Longest id, address or time that is read from a file, in bytes. */
export const ID_MAX_BYTES = 512;
// SQL asks only how long a cell is and of what kind, from its header, so that nothing over limits is ever loaded; what
// it is worth is found out here: compiling expressions is what most of a look's time would go to.
/** SQL of a cell to be read by `textOf`: NULL where it has over `maxBytes`. */
export function textCell(column, maxBytes = ID_MAX_BYTES) {
    return `iif(octet_length("${column}") <= ${String(maxBytes)}, "${column}", NULL)`;
}
/** SQL of a cell to be read by `integerOf`: NULL for anything but an integer. */
export function integerCell(column) {
    return `iif(typeof("${column}") = 'integer', "${column}", NULL)`;
}
/** SQL of the first `maxBytes` of a cell of up to `loadMaxBytes`, NULL above that; to be read by `textOf`. */
export function cutCell(column, maxBytes, loadMaxBytes) {
    const cut = `substr(CAST("${column}" AS BLOB), 1, ${String(maxBytes)})`;
    return `iif(octet_length("${column}") <= ${String(maxBytes)}, "${column}",
    iif(octet_length("${column}") <= ${String(loadMaxBytes)}, ${cut}, NULL))`;
}
/** The text of a cell of whatever type; what is not UTF-8 in it becomes U+FFFD. null: NULL, or over its limit. */
export function textOf(cell) {
    if (typeof cell === 'string')
        return cell;
    if (Buffer.isBuffer(cell))
        return cell.toString('utf8');
    return typeof cell === 'number' ? String(cell) : null;
}
/** An integer that JavaScript can hold; null for anything else. */
export function integerOf(cell) {
    return Number.isSafeInteger(cell) ? cell : null;
}
//# sourceMappingURL=cells.js.map