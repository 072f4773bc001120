import fs, { appendFileSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import { fingerprint } from './fingerprint.js';

/** Files of a run beside its data dir. */
export const RUN_FILES = { points: 'points', host: 'host.pid', world: 'world.json', at: 'crash-at' } as const;

export interface PointsOptions {
  /** Holds the data dir and the files of the run. */
  readonly folder: string;
  /** The point at which host and worker are killed; 0: at none, and what each would leave is noted. */
  readonly at: number;
  /** Called first at each point: what outlives the host is put down. */
  readonly before?: () => void;
}

/** What a host that is killed at this point leaves: equal texts, equal legacies. */
export interface PointFound {
  readonly what: string;
  readonly leaves: string;
}

const FOLDER_WRITES = ['mkdirSync', 'renameSync', 'unlinkSync', 'rmSync', 'symlinkSync', 'linkSync'] as const;

/**
 * Counts what a host and its file workers write, together and in order, and kills both with SIGKILL at a number that is
 * asked for: before and after every COMMIT of whichever database, after every write to a session's file, and after
 * every change of its folders.
 */
export function armCrashPoints({ folder, at, before = () => undefined }: PointsOptions): (what: string) => void {
  const points = join(folder, RUN_FILES.points);
  const dataDir = join(folder, 'data');

  const hit = (what: string): void => {
    before();
    const leaves = at === 0 ? fingerprint(dataDir, readFileSync(join(folder, RUN_FILES.world), 'utf8')) : '';
    appendFileSync(points, `${what}\t${leaves}\n`);
    if (at === 0 || readFileSync(points, 'utf8').split('\n').length - 1 !== at) return;
    const host = Number(readFileSync(join(folder, RUN_FILES.host), 'utf8'));
    if (host !== process.pid) process.kill(host, 'SIGKILL');
    process.kill(process.pid, 'SIGKILL');
  };

  armStatements(hit);
  armFolders(dataDir, hit);
  return hit;
}

export function readPoints(folder: string): readonly PointFound[] {
  const lines = readFileSync(join(folder, RUN_FILES.points), 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [what = '', leaves = ''] = line.split('\t');
    return { what, leaves };
  });
}

interface Statement {
  readonly source: string;
  readonly database: Database.Database;
}

type Run = (this: Statement, ...values: unknown[]) => unknown;

function armStatements(hit: (what: string) => void): void {
  const statements = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1')) as { run: Run };
  const { run } = statements;
  statements.run = function (...values) {
    const file = basename(this.database.name);
    const what = `${file}: ${this.source.replace(/\s+/g, ' ').slice(0, 40)}`;
    // Pages are written as soon as they are dirty: killed before its COMMIT, a transaction leaves a hot journal.
    if (this.source.startsWith('BEGIN')) this.database.pragma('cache_size = 1');
    if (this.source === 'COMMIT') hit(`before ${what}`);
    const result = run.apply(this, values);
    const isWrite = this.source === 'COMMIT' || (file !== 'registry.db' && !this.source.startsWith('BEGIN'));
    if (isWrite) hit(`after ${what}`);
    return result;
  };
}

function armFolders(dataDir: string, hit: (what: string) => void): void {
  for (const name of FOLDER_WRITES) {
    const write = fs[name] as (...args: readonly unknown[]) => unknown;
    Object.assign(fs, {
      [name]: (...args: readonly unknown[]) => {
        const result = write(...args);
        if (String(args[0]).startsWith(dataDir)) hit(`after ${name} ${basename(String(args[0]))}`);
        return result;
      },
    });
  }
  syncBuiltinESMExports();
}
