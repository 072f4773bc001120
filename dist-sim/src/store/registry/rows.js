import { NightporterError } from '../../protocol/errors.js';
import { findAddress } from '../../protocol/address.js';
/** Reads the cells of one row of registry.db and refuses what should not be there, naming table and column. */
export class RowReader {
    #table;
    #cells;
    constructor(table, row) {
        if (typeof row !== 'object' || row === null)
            throw new Error(`not a row of ${table}`);
        this.#table = table;
        this.#cells = row;
    }
    text(column) {
        const value = this.#cells[column];
        return typeof value === 'string' ? value : this.refuse(column, 'a text');
    }
    textOrNull(column) {
        return this.#isNull(column) ? null : this.text(column);
    }
    /** A whole number that JavaScript holds exactly. */
    integer(column) {
        const value = this.#cells[column];
        return typeof value === 'number' && Number.isSafeInteger(value) ? value : this.refuse(column, 'a whole number');
    }
    integerOrNull(column) {
        return this.#isNull(column) ? null : this.integer(column);
    }
    /** A whole number of 0 or more. */
    count(column) {
        const value = this.integer(column);
        return value >= 0 ? value : this.refuse(column, 'a count');
    }
    flag(column) {
        const value = this.#cells[column];
        return value === 0 || value === 1 ? value === 1 : this.refuse(column, '0 or 1');
    }
    flagOrNull(column) {
        return this.#isNull(column) ? null : this.flag(column);
    }
    bytes(column) {
        const value = this.#cells[column];
        return Buffer.isBuffer(value) ? value : this.refuse(column, 'bytes');
    }
    oneOf(column, known) {
        const value = this.text(column);
        return known.find((candidate) => candidate === value) ?? this.refuse(column, `one of ${known.join(', ')}`);
    }
    oneOfOrNull(column, known) {
        return this.#isNull(column) ? null : this.oneOf(column, known);
    }
    address(column) {
        return findAddress(this.text(column)) ?? this.refuse(column, 'a session address');
    }
    messageId(column) {
        return this.text(column);
    }
    /** A JSON array of texts. */
    textsOrNull(column) {
        const text = this.textOrNull(column);
        if (text === null)
            return null;
        const parsed = parseJson(text);
        if (!Array.isArray(parsed) || !parsed.every((item) => typeof item === 'string')) {
            return this.refuse(column, 'a JSON array of texts');
        }
        return parsed;
    }
    refuse(column, expected) {
        throw new NightporterError('failed', `registry.db: ${this.#table}.${column} does not hold ${expected}; restore registry.db from a backup`);
    }
    #isNull(column) {
        return this.#cells[column] === null;
    }
}
function parseJson(text) {
    try {
        return JSON.parse(text);
    }
    catch {
        return undefined;
    }
}
//# sourceMappingURL=rows.js.map