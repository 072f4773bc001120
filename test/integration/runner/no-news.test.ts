import { chownSync, copyFileSync, existsSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { RunnerSession } from '../../support/runner-session.js';

/** Only root can start a runner as somebody else. */
const UNPRIVILEGED: [string, number][] = [['as a user who may not write there', 65_534]];
const IS_ROOT = process.getuid?.() === 0;

/** Leaves inbound.db as a host killed in the middle of a commit does: half written, with the journal that undoes it. */
function leaveHotJournal(path: string): void {
  const db = new Database(path);
  try {
    db.pragma('cache_size = 1');
    db.exec('BEGIN IMMEDIATE; CREATE TABLE filler (x)');
    const insert = db.prepare('INSERT INTO filler VALUES (zeroblob(4000))');
    for (let row = 0; row < 200; row += 1) insert.run();
    copyFileSync(path, `${path}.torn`);
    copyFileSync(`${path}-journal`, `${path}.torn-journal`);
    db.exec('ROLLBACK');
  } finally {
    db.close();
  }
  renameSync(`${path}.torn-journal`, `${path}-journal`);
  renameSync(`${path}.torn`, path);
}

function readOnlyCode(path: string): string | undefined {
  const db = new Database(path, { readonly: true });
  try {
    db.prepare('SELECT count(*) FROM messages_in').get();
    return undefined;
  } catch (error) {
    return error instanceof Database.SqliteError ? error.code : 'other';
  } finally {
    db.close();
  }
}

describe('what the runner takes for no news', () => {
  let session: RunnerSession;
  beforeEach(() => {
    session = new RunnerSession();
  });
  afterEach(() => session.dispose());

  const keepsBeating = async (): Promise<void> => {
    const beat = await eventually('a beat', () => session.heartbeatMs());
    await eventually('more beats', () => (session.heartbeatMs() ?? 0) > beat + 500);
  };

  it.each<[string, number | undefined]>([['as itself', undefined], ...(IS_ROOT ? UNPRIVILEGED : [])])(
    'F2 beats on before a hot journal in in/, %s, and works once the host has rolled it back',
    async (_how, uid) => {
      session.enqueue({ id: 'm' });
      leaveHotJournal(session.inbound);
      expect(readOnlyCode(session.inbound)).toBe('SQLITE_READONLY_ROLLBACK');
      if (uid !== undefined) {
        chownSync(session.workspace, uid, uid);
        chownSync(session.outbound, uid, uid);
      }
      const runner = session.start(uid === undefined ? {} : { uid });
      await eventually('it says so', () => runner.logged('inbound.db cannot be read now').length > 0);
      await keepsBeating();
      expect(existsSync(`${session.inbound}-journal`)).toBe(true);
      expect(session.acks()).toEqual([]);
      session.enqueue({ id: 'n' });
      await session.untilAcked('completed', 'm', 'n');
      expect(runner.logged('inbound.db cannot be read now').length).toBe(1);
    },
  );

  it('beats on while the host holds inbound.db locked', async () => {
    session.enqueue({ id: 'm' });
    const host = new Database(session.inbound);
    host.exec('BEGIN EXCLUSIVE');
    session.start();
    await keepsBeating();
    expect(session.acks()).toEqual([]);
    host.exec('COMMIT');
    host.close();
    await session.untilAcked('completed', 'm');
  });

  it('beats on while inbound.db is missing or is no database', async () => {
    renameSync(session.inbound, `${session.inbound}.aside`);
    session.start();
    await keepsBeating();
    writeFileSync(session.inbound, 'this is not a database, and never was one. '.repeat(100));
    await keepsBeating();
    renameSync(`${session.inbound}.aside`, session.inbound);
    session.enqueue({ id: 'm' });
    await session.untilAcked('completed', 'm');
  });

  it('never writes a heartbeat through a link', async () => {
    const target = `${session.folder}/elsewhere`;
    symlinkSync(target, session.heartbeat);
    session.enqueue({ id: 'm' });
    const runner = session.start();
    await session.untilAcked('completed', 'm');
    await eventually('it says so', () => runner.logged('heartbeat cannot be written').length === 1);
    expect(existsSync(target)).toBe(false);
  });

  it('sees a message within a moment, when idle for long too', async () => {
    session.start();
    await keepsBeating();
    for (const id of ['a', 'b', 'c']) {
      session.enqueue({ id });
      await session.untilAcked('completed', id);
    }
    // Past the time in which a file's times are not trusted.
    await eventually(
      '3 s later',
      () => (session.heartbeatMs() ?? 0) > Date.parse(session.acks()[2]?.status_changed ?? '') + 3_000,
    );
    const enqueuedAtMs = Date.now();
    session.enqueue({ id: 'd' });
    await session.untilAcked('completed', 'd');
    expect(Date.parse(session.ack('d')?.status_changed ?? '') - enqueuedAtMs).toBeLessThan(1_500);
  });
});
