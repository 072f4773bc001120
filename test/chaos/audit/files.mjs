import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** Every session's two files, as they lie there when nothing runs any more; strictly for reading. */
export function readSessions(dataDir, problems) {
  const root = join(dataDir, 'sessions');
  return readdirSync(root).flatMap((group) =>
    readdirSync(join(root, group)).map((name) => readSession(join(root, group, name), `${group}/${name}`, problems)),
  );
}

function readSession(folder, session, problems) {
  const inbound = read(join(folder, 'in/inbound.db'), session, problems, (db) => ({
    messages: db.prepare('SELECT * FROM messages_in ORDER BY seq').all(),
  }));
  const outbound = read(join(folder, 'out/outbound.db'), session, problems, (db) => ({
    answers: db.prepare('SELECT * FROM messages_out ORDER BY rowid').all(),
    acks: db.prepare('SELECT * FROM processing_ack').all(),
  }));
  return { session, messages: [], answers: [], acks: [], ...inbound, ...outbound };
}

/** The registry as it lies there: sessions, spool, ends of turns, facts of incarnations, notices. */
export function readRegistry(dataDir, problems) {
  return read(join(dataDir, 'registry.db'), 'registry', problems, (db) => ({
    sessions: db.prepare('SELECT * FROM sessions').all(),
    totals: db.prepare('SELECT * FROM totals').get(),
    spool: db.prepare('SELECT session, id FROM spool').all(),
    turnEnds: db.prepare('SELECT * FROM turn_ends').all(),
    incarnations: db
      .prepare('SELECT session, epoch, stopped_at, claimed, fruitless, stop_reason FROM incarnations')
      .all(),
    notices: db.prepare('SELECT kind, session, text FROM notices').all(),
  }));
}

function read(file, whose, problems, work) {
  try {
    const journal = `${file}-journal`;
    if (existsSync(journal)) problems.add('a journal was left', `${whose}: ${journal}`);
    const db = new Database(file, { readonly: true, fileMustExist: true });
    try {
      const [{ integrity_check: integrity }] = db.pragma('integrity_check');
      if (integrity !== 'ok') problems.add('a damaged file', `${whose}: ${file}: ${integrity}`);
      return work(db);
    } finally {
      db.close();
    }
  } catch (error) {
    problems.add('a file that cannot be read', `${whose}: ${file}: ${error.message}`);
    return undefined;
  }
}
