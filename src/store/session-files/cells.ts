/** Longest id, address or time that is read from a file, in bytes. */
export const ID_MAX_BYTES = 512;
const INTEGER_MAX = Number.MAX_SAFE_INTEGER;

/** SQL of a text cell of at most `maxBytes`, NULL where it is longer: a longer one is never loaded. */
export function textCell(column: string, maxBytes = ID_MAX_BYTES): string {
  return `CASE WHEN octet_length("${column}") <= ${String(maxBytes)} THEN CAST("${column}" AS TEXT) END`;
}

/** SQL of an integer cell that JavaScript can hold, NULL for anything else. */
export function integerCell(column: string): string {
  const max = String(INTEGER_MAX);
  return `CASE WHEN typeof("${column}") = 'integer' AND "${column}" BETWEEN -${max} AND ${max} THEN "${column}" END`;
}

/** SQL of the first `maxBytes` of a text cell, cut from cells of up to `loadMaxBytes`, NULL above that. */
export function cutCell(column: string, maxBytes: number, loadMaxBytes: number): string {
  const bytes = `CAST("${column}" AS BLOB)`;
  return `CASE WHEN octet_length("${column}") <= ${String(maxBytes)} THEN CAST("${column}" AS TEXT)
    WHEN octet_length("${column}") <= ${String(loadMaxBytes)} THEN CAST(substr(${bytes}, 1, ${String(maxBytes)}) AS TEXT) END`;
}
