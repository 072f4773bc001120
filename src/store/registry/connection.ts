import Database from 'better-sqlite3';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { DiskFull, NightporterError } from '../../protocol/errors.js';

/** A writer waits for another's commit, a reader for the recovery after a crash; both take milliseconds. */
const BUSY_TIMEOUT_MS = 2_000;
const WAL_KEPT_BYTES = 64 * 1024 * 1024;

/** One connection to registry.db. Errors of SQLite leave it as NightporterError that say what to do. */
export class Connection {
  readonly db: Database.Database;
  readonly readonly: boolean;
  readonly #file: string;
  readonly #transaction: Database.Transaction<(work: () => unknown) => unknown>;

  constructor(db: Database.Database, file: string, readonly: boolean) {
    this.db = db;
    this.readonly = readonly;
    this.#file = file;
    this.#transaction = db.transaction((work: () => unknown) => work());
  }

  prepare(sql: string): Database.Statement {
    return this.read(() => this.db.prepare(sql));
  }

  read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translate(error, this.#file);
    }
  }

  /** One transaction, on disk when this returns; of a `work` that throws nothing is left. */
  write<T>(work: () => T): T {
    return this.read(() => {
      if (this.readonly) throw new NightporterError('refused', `${this.#file} was opened for reading only`);
      return this.#transaction.immediate(work) as T;
    });
  }

  /** Idempotent. */
  close(): void {
    if (!this.db.open) return;
    if (this.readonly) this.db.close();
    else closeWriter(this.db, this.#file);
  }
}

/** Opens for writing, makes the file (0600) where there is none. The caller migrates. */
export function openForWriting(file: string): Connection {
  return opening(file, () => {
    // Before SQLite's own open: its -wal and -shm take over this mode.
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
    const db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
    return closedOnError(db, () => {
      // What is freed later can be given back piece by piece; heeded before the first table only, and written even then.
      if (db.pragma('page_count', { simple: true }) === 0) db.pragma('auto_vacuum = INCREMENTAL');
      db.pragma('journal_mode = WAL');
      // After journal_mode: the library's own default for WAL is NORMAL, which may lose commits with the power.
      db.pragma('synchronous = FULL');
      db.pragma('foreign_keys = ON');
      db.pragma(`journal_size_limit = ${WAL_KEPT_BYTES}`);
      return new Connection(db, file, false);
    });
  });
}

/** Opens strictly for reading: creates nothing, repairs nothing, sees what is in a -wal that a crash left. */
export function openForReading(file: string): Connection {
  return opening(file, () => {
    const isCopyWithoutWal = isWalDatabase(file) && !existsSync(`${file}-wal`);
    const db = isCopyWithoutWal ? openInMemory(file) : new Database(file, { readonly: true, timeout: BUSY_TIMEOUT_MS });
    return closedOnError(db, () => {
      // The first read is what opens -wal and -shm.
      db.pragma('user_version');
      return new Connection(db, file, true);
    });
  });
}

/** A restored backup without its -wal: to open the file itself would create -wal and -shm. Everything is in the file. */
function openInMemory(file: string): Database.Database {
  const bytes = readFileSync(file);
  bytes[18] = 1;
  bytes[19] = 1;
  return new Database(bytes, { readonly: true });
}

function isWalDatabase(file: string): boolean {
  const header = Buffer.alloc(20);
  const descriptor = openSync(file, 'r');
  try {
    return readSync(descriptor, header, 0, header.length, 0) === header.length && header[18] === 2;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Leaves an empty -wal and a -shm behind, so that no reader has to create them. SQLite removes them when the last
 * connection that may write closes; a read-only one that is still open prevents it and cannot remove them itself.
 */
function closeWriter(db: Database.Database, file: string): void {
  let keeper: Database.Database | undefined;
  try {
    db.pragma('busy_timeout = 0');
    db.pragma('wal_checkpoint(TRUNCATE)');
    keeper = new Database(file, { readonly: true, timeout: 0 });
    keeper.pragma('user_version');
  } catch {
    // Full disk, folder gone: what was committed stays in the -wal, or the readers make the two files.
  }
  db.close();
  keeper?.close();
}

function closedOnError<T>(db: Database.Database, work: () => T): T {
  try {
    return work();
  } catch (error) {
    db.close();
    throw error;
  }
}

function opening<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw translate(error, file);
  }
}

function translate(error: unknown, file: string): unknown {
  if (error instanceof NightporterError || !(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const cause = { cause: error };
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE' || code === 'ENOSPC') {
    return new DiskFull(`no space left for ${file}: nothing was written; free some space and try again`, cause);
  }
  if (code === 'ENOENT') return new NightporterError('not_found', `there is no ${file}`, cause);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new NightporterError('failed', `no permission for ${file} (${code}): run as the user that owns it`, cause);
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new NightporterError('unavailable', `${file} is in use by another process: try again`, cause);
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return new NightporterError('failed', `${file} is damaged (${code}): restore it from a backup`, cause);
  }
  if (code.startsWith('SQLITE_CONSTRAINT') || !code.startsWith('SQLITE_')) return error;
  return new NightporterError('failed', `${file} cannot be used (${code}): ${error.message}`, cause);
}
