import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { FilesLook, FilesOutcome, NewMessage } from '../../src/ports/session-files.js';
import type { MessageId, SessionAddress } from '../../src/protocol/address.js';
import {
  PooledSessionFiles,
  type PooledSessionFilesOptions,
} from '../../src/store/session-files/pooled-session-files.js';
import { sessionPaths, type SessionPaths } from '../../src/store/session-files/session-paths.js';
import { built } from './built.js';

export const address = (text: string): SessionAddress => text as SessionAddress;
export const DEMO = address('demo/first');
export const OTHER = address('demo/second');

export interface FilesFixture {
  readonly dataDir: string;
  readonly files: PooledSessionFiles;
  paths(session?: SessionAddress): SessionPaths;
  look(session?: SessionAddress): Promise<FilesOutcome<FilesLook>>;
  /** Pids of the children on record. */
  workers(): readonly number[];
  close(): Promise<void>;
}

export function makeDataDir(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'nightporter-files-')));
}

export function openFiles(options: Partial<PooledSessionFilesOptions> = {}): FilesFixture {
  const dataDir = options.dataDir ?? makeDataDir();
  const files = new PooledSessionFiles({
    dataDir,
    childEntry: built('src/store/worker/child.js'),
    workers: 1,
    deadlineMs: 5_000,
    outboundMaxBytes: 1_073_741_824,
    outOwner: undefined,
    ...options,
  });
  return {
    dataDir,
    files,
    paths: (session = DEMO) => sessionPaths(dataDir, session),
    look: (session = DEMO) => files.look(session, { nowMs: Date.now(), lane: 'normal' }),
    workers: () => workersOf(dataDir),
    close: async () => {
      await files.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export function workersOf(dataDir: string): readonly number[] {
  const entries = JSON.parse(readFileSync(join(dataDir, 'workers.json'), 'utf8')) as { child: { pid: number } }[];
  return entries.map((entry) => entry.child.pid);
}

export function newMessage(id: string, over: Partial<NewMessage> = {}): NewMessage {
  return {
    id: id as MessageId,
    kind: 'chat',
    timestampMs: Date.now() - 1_000,
    processAfterMs: null,
    trigger: true,
    onWake: false,
    content: JSON.stringify({ text: id }),
    recurrence: null,
    seriesId: null,
    timezone: null,
    occurrenceMs: null,
    missed: null,
    ...over,
  };
}

/** Runs SQL on a file as somebody else's program would. */
export function runSql(path: string, sql: string): void {
  const database = new Database(path);
  try {
    database.unsafeMode(true);
    database.exec(sql);
  } finally {
    database.close();
  }
}

export function queryRows(path: string, sql: string): readonly unknown[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** A row of processing_ack as a runner writes it. */
export function ackSql(id: string, status: string, attempt: number | null = 0, statusChanged = nowText()): string {
  return `INSERT OR REPLACE INTO processing_ack (message_id, status, status_changed, attempt, incarnation)
    VALUES ('${id}', '${status}', '${statusChanged}', ${String(attempt)}, 1);`;
}

export function nowText(): string {
  return new Date().toISOString();
}

export interface SqlHolder {
  readonly process: ChildProcess;
  /** SIGKILL, and gone. */
  kill(): Promise<void>;
}

/** Another process that runs `sql` on a file and then holds the handle, with whatever transaction is open, till killed. */
export async function holdWith(path: string, sql: string): Promise<SqlHolder> {
  const code = `
    import Database from 'better-sqlite3';
    const database = new Database(process.argv[1]);
    database.exec(process.argv[2]);
    process.stdout.write('held');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, path, sql], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => {
      resolve();
    });
    child.once('exit', () => {
      reject(new Error('the holder ended early'));
    });
  });
  return {
    process: child,
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** A transaction that has written pages into the file itself by the time it is held: killed, it leaves a hot journal. */
export function spilledTransaction(table: string, insert: string): string {
  return `
    PRAGMA cache_size = 2; PRAGMA cache_spill = 1; PRAGMA synchronous = FULL;
    BEGIN IMMEDIATE;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) ${insert} FROM n;
    UPDATE ${table} SET rowid = rowid;
  `;
}
