// A runner that turns hostile: it claims its message as any runner does, then does to its own files what its session is
// named after (see test/support/hostile-cases.ts), and stays. Later incarnations are our own runner, NP_RUNNER.
// NP_OUTSIDE: a folder with a file for each session that is nobody's business.
import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';

const { NIGHTPORTER_WORKSPACE: workspace, NIGHTPORTER_SESSION: session, NIGHTPORTER_EPOCH: epoch } = process.env;
const name = session.split('/')[1];
const outbound = `${workspace}/outbound.db`;
const heartbeat = `${workspace}/.heartbeat`;
const victim = `${process.env.NP_OUTSIDE}/${name}.db`;
const YEAR_MS = 365 * 86_400_000;

function claim() {
  const db = new Database(outbound);
  db.pragma('busy_timeout = 5000');
  db.prepare(
    `INSERT INTO processing_ack (message_id, status, status_changed, attempt, incarnation) VALUES ('m', 'processing', ?, 0, 1)`,
  ).run(new Date().toISOString());
  return db;
}

const programs = {
  /** As long as it lives: for hours, if it is let. */
  'holds-exclusive'() {
    claim().exec('BEGIN EXCLUSIVE');
  },
  /** A good file, a link to somebody else's, a second name, a fifo, nothing: exchanged as fast as it can. */
  'exchanges-the-file'() {
    claim().close();
    copyFileSync(outbound, 'good');
    execFileSync('mkfifo', ['pipe']);
    const put = (make) => {
      make('next');
      renameSync('next', outbound);
    };
    const turns = [
      () => put((next) => copyFileSync('good', next)),
      () => put((next) => symlinkSync(victim, next)),
      () => put((next) => linkSync('good', next)),
      () => put((next) => linkSync('pipe', next)),
      () => rmSync(outbound),
    ];
    const run = (turn) => {
      turns[turn % turns.length]();
      setImmediate(run, turn + 1);
    };
    run(0);
  },
  'beats-in-the-future'() {
    claim();
    writeFileSync(heartbeat, '');
    const nextYear = new Date(Date.now() + YEAR_MS);
    utimesSync(heartbeat, nextYear, nextYear);
  },
  'beats-as-a-folder'() {
    console.log('\u001b]0;owned\u0007\u001b[31m\u009b2J\u202e');
    claim();
    mkdirSync(heartbeat);
  },
  /** What it leads to is of next year. */
  'beats-as-a-link'() {
    claim();
    symlinkSync(victim, heartbeat);
  },
  'runs-a-long-tool'() {
    claim()
      .prepare(
        `INSERT OR REPLACE INTO container_state
           (id, current_tool, tool_declared_timeout_ms, tool_started_at, updated_at, incarnation) VALUES (1, ?, ?, ?, ?, 1)`,
      )
      .run('\u001b[31mBash\u009b2J', 1e12, new Date().toISOString(), new Date(Date.now() + YEAR_MS).toISOString());
  },
};

if (epoch === '1') {
  programs[name]();
  process.on('SIGTERM', () => undefined);
  setInterval(() => undefined, 60_000);
} else await import(process.env.NP_RUNNER);
