// Counts what a host and its file workers write, together and in order, and kills both with SIGKILL at a number that is
// asked for: before and after every COMMIT of whichever database, and after every write to a session's file.
import Database from 'better-sqlite3';
import { appendFileSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

export function armCrashPoints(folder) {
  const at = Number(readFileSync(`${folder}/crash-at`, 'utf8'));
  const statements = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1'));
  const { run } = statements;
  statements.run = function (...values) {
    // Pages are written as soon as they are dirty: killed before its COMMIT, a transaction leaves a hot journal.
    if (/^BEGIN/.test(this.source)) this.database.pragma('cache_size = 1');
    const file = basename(this.database.name);
    const what = `${file}: ${this.source.replace(/\s+/g, ' ').slice(0, 40)}`;
    if (this.source === 'COMMIT') hit(`before ${what}`);
    const result = run.apply(this, values);
    if (this.source === 'COMMIT' || (file !== 'registry.db' && !/^BEGIN/.test(this.source))) hit(`after ${what}`);
    return result;
  };

  function hit(what) {
    appendFileSync(`${folder}/points`, `${what}\n`);
    const count = readFileSync(`${folder}/points`, 'utf8').split('\n').length - 1;
    if (count !== at) return;
    const host = Number(readFileSync(`${folder}/host.pid`, 'utf8'));
    if (host !== process.pid) process.kill(host, 'SIGKILL');
    process.kill(process.pid, 'SIGKILL');
  }
}
