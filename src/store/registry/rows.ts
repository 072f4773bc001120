import { NightporterError } from '../../protocol/errors.js';
import { findAddress } from '../../protocol/address.js';
import type { AddressParts, MessageId } from '../../protocol/address.js';

/** Reads the cells of one row of registry.db and refuses what should not be there, naming table and column. */
export class RowReader {
  readonly #table: string;
  readonly #cells: Readonly<Record<string, unknown>>;

  constructor(table: string, row: unknown) {
    if (typeof row !== 'object' || row === null) throw new Error(`not a row of ${table}`);
    this.#table = table;
    this.#cells = row as Readonly<Record<string, unknown>>;
  }

  text(column: string): string {
    const value = this.#cells[column];
    return typeof value === 'string' ? value : this.refuse(column, 'a text');
  }

  textOrNull(column: string): string | null {
    return this.#isNull(column) ? null : this.text(column);
  }

  /** A whole number that JavaScript holds exactly. */
  integer(column: string): number {
    const value = this.#cells[column];
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : this.refuse(column, 'a whole number');
  }

  integerOrNull(column: string): number | null {
    return this.#isNull(column) ? null : this.integer(column);
  }

  /** A whole number of 0 or more. */
  count(column: string): number {
    const value = this.integer(column);
    return value >= 0 ? value : this.refuse(column, 'a count');
  }

  flag(column: string): boolean {
    const value = this.#cells[column];
    return value === 0 || value === 1 ? value === 1 : this.refuse(column, '0 or 1');
  }

  flagOrNull(column: string): boolean | null {
    return this.#isNull(column) ? null : this.flag(column);
  }

  bytes(column: string): Buffer {
    const value = this.#cells[column];
    return Buffer.isBuffer(value) ? value : this.refuse(column, 'bytes');
  }

  oneOf<T extends string>(column: string, known: readonly T[]): T {
    const value = this.text(column);
    return known.find((candidate) => candidate === value) ?? this.refuse(column, `one of ${known.join(', ')}`);
  }

  oneOfOrNull<T extends string>(column: string, known: readonly T[]): T | null {
    return this.#isNull(column) ? null : this.oneOf(column, known);
  }

  address(column: string): AddressParts {
    return findAddress(this.text(column)) ?? this.refuse(column, 'a session address');
  }

  messageId(column: string): MessageId {
    return this.text(column) as MessageId;
  }

  /** A JSON array of texts. */
  textsOrNull(column: string): readonly string[] | null {
    const text = this.textOrNull(column);
    if (text === null) return null;
    const parsed = parseJson(text);
    if (!Array.isArray(parsed) || !parsed.every((item) => typeof item === 'string')) {
      return this.refuse(column, 'a JSON array of texts');
    }
    return parsed;
  }

  refuse(column: string, expected: string): never {
    throw new NightporterError(
      'failed',
      `registry.db: ${this.#table}.${column} does not hold ${expected}; restore registry.db from a backup`,
    );
  }

  #isNull(column: string): boolean {
    return this.#cells[column] === null;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
