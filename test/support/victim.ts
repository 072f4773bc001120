import { readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';

const HOUR_MS = 3_600_000;

/** A file of the machine that is nobody's business, and would pass for a session's. */
export class Victim {
  readonly path: string;
  readonly #before: Buffer;
  readonly #mtimeMs: number;

  constructor(folder: string, name: string) {
    this.path = join(folder, name);
    const db = new Database(this.path);
    db.exec('CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT)');
    db.close();
    this.#before = readFileSync(this.path);
    // Read longer ago than written: the next read is recorded, wherever reads are recorded at all.
    utimesSync(this.path, new Date(Date.now() - 2 * HOUR_MS), new Date(Date.now() - HOUR_MS));
    this.#mtimeMs = statSync(this.path).mtimeMs;
  }

  expectUntouched(): void {
    const { atimeMs, mtimeMs } = statSync(this.path);
    expect(atimeMs, `${this.path} was read`).toBeLessThan(mtimeMs);
    this.expectUnwritten();
  }

  expectUnwritten(): void {
    expect(statSync(this.path).mtimeMs, `${this.path} was written`).toBe(this.#mtimeMs);
    expect(readFileSync(this.path).equals(this.#before)).toBe(true);
  }
}

/** Files that others read all the time: only what is in them, and when that was written, can be told. */
export class Bystander {
  readonly #path: string;
  readonly #before: string;

  constructor(path: string) {
    this.#path = path;
    this.#before = this.#now();
  }

  expectUnwritten(): void {
    expect(this.#now()).toBe(this.#before);
  }

  #now(): string {
    const { ino, size, mtimeMs } = statSync(this.#path);
    return JSON.stringify([ino, size, mtimeMs, readFileSync(this.#path, 'latin1')]);
  }
}
