import { createHash } from 'node:crypto';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';

/** As migrations of NanoClaw 2.0 leave its central database; what importing does not look at is left out. */
const CENTRAL = `
CREATE TABLE agent_groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL UNIQUE, agent_provider TEXT,
  created_at TEXT NOT NULL);
CREATE TABLE messaging_groups (id TEXT PRIMARY KEY, channel_type TEXT NOT NULL, platform_id TEXT NOT NULL, name TEXT,
  is_group INTEGER DEFAULT 0, created_at TEXT NOT NULL);
CREATE TABLE sessions (id TEXT PRIMARY KEY, agent_group_id TEXT NOT NULL REFERENCES agent_groups(id),
  messaging_group_id TEXT REFERENCES messaging_groups(id), thread_id TEXT, agent_provider TEXT, status TEXT DEFAULT 'active',
  container_status TEXT DEFAULT 'stopped', last_active TEXT, created_at TEXT NOT NULL);
CREATE INDEX idx_sessions_agent_group ON sessions(agent_group_id);`;
/** Of later versions. */
const CONFIGS = `
CREATE TABLE container_configs (agent_group_id TEXT PRIMARY KEY REFERENCES agent_groups(id), provider TEXT, model TEXT,
  image_tag TEXT, timezone TEXT, updated_at TEXT NOT NULL);`;

const LATER_COLUMNS =
  ', series_id TEXT, trigger INTEGER NOT NULL DEFAULT 1, source_session_id TEXT, on_wake INTEGER NOT NULL DEFAULT 0';
const inbound = (later: string): string => `
CREATE TABLE messages_in (id TEXT PRIMARY KEY, seq INTEGER UNIQUE, kind TEXT NOT NULL, timestamp TEXT NOT NULL,
  status TEXT DEFAULT 'pending', process_after TEXT, recurrence TEXT, tries INTEGER DEFAULT 0, platform_id TEXT,
  channel_type TEXT, thread_id TEXT, content TEXT NOT NULL${later});
CREATE TABLE delivered (message_out_id TEXT PRIMARY KEY, platform_message_id TEXT, status TEXT NOT NULL DEFAULT 'delivered',
  delivered_at TEXT NOT NULL);
CREATE TABLE destinations (name TEXT PRIMARY KEY, display_name TEXT, type TEXT NOT NULL, channel_type TEXT, platform_id TEXT,
  agent_group_id TEXT);
CREATE TABLE session_routing (id INTEGER PRIMARY KEY CHECK (id = 1), channel_type TEXT, platform_id TEXT, thread_id TEXT);`;
const OUTBOUND = `
CREATE TABLE messages_out (id TEXT PRIMARY KEY, seq INTEGER UNIQUE, in_reply_to TEXT, timestamp TEXT NOT NULL,
  deliver_after TEXT, recurrence TEXT, kind TEXT NOT NULL, platform_id TEXT, channel_type TEXT, thread_id TEXT,
  content TEXT NOT NULL);
CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT NOT NULL);
CREATE TABLE session_state (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE container_state (id INTEGER PRIMARY KEY CHECK (id = 1), current_tool TEXT, tool_declared_timeout_ms INTEGER,
  tool_started_at TEXT, updated_at TEXT NOT NULL);`;

type Value = string | number | null;
type Row = Readonly<Record<string, Value>>;

/** An installation of NanoClaw v2 on disk, as far as it is brought over. `early`: session files before their later columns. */
export class NanoclawInstallation {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'np-nanoclaw-')));
  readonly #central: Database.Database;
  readonly #early: boolean;
  readonly #making = mkdtempSync(join(tmpdir(), 'np-nanoclaw-central-'));

  constructor({ early = false }: { readonly early?: boolean } = {}) {
    this.#early = early;
    this.#central = new Database(join(this.#making, 'v2.db'));
    this.#central.pragma('journal_mode = WAL');
    this.#central.pragma('wal_autocheckpoint = 0');
    this.#central.exec(CENTRAL + (early ? '' : CONFIGS));
    mkdirSync(join(this.root, 'data', 'v2-sessions'), { recursive: true });
    writeFileSync(join(this.root, '.env'), 'ANTHROPIC_API_KEY=secret\nTZ="Europe/Berlin"\n');
  }

  group(id: string, folder: string, more: { readonly zone?: string; readonly provider?: string } = {}): void {
    insert(this.#central, 'agent_groups', {
      id,
      folder,
      name: `Group ${folder}`,
      agent_provider: more.provider ?? null,
      created_at: AT,
    });
    if (more.zone === undefined) return;
    insert(this.#central, 'container_configs', { agent_group_id: id, timezone: more.zone, updated_at: AT });
  }

  session(group: string, id: string, more: Row = {}): NanoclawSession {
    const place = `mg-${group}-${id}`;
    insert(this.#central, 'messaging_groups', {
      id: place,
      channel_type: 'telegram',
      platform_id: `tg:${group}:${id}`,
      name: `Chat ${id}`,
      created_at: AT,
    });
    insert(this.#central, 'sessions', {
      id,
      agent_group_id: group,
      messaging_group_id: place,
      created_at: AT,
      ...more,
    });
    const folder = join(this.root, 'data', 'v2-sessions', group, id);
    return new NanoclawSession(folder, this.#early);
  }

  path(...parts: readonly string[]): string {
    return join(this.root, ...parts);
  }

  /** Puts the central database in its place with all that was written still in its WAL. */
  finish(): this {
    cpSync(join(this.#making, 'v2.db'), this.path('data', 'v2.db'));
    cpSync(join(this.#making, 'v2.db-wal'), this.path('data', 'v2.db-wal'));
    this.#central.close();
    rmSync(this.#making, { recursive: true });
    return this;
  }

  /** Changes the central database that is in its place. */
  change(sql: string): this {
    const db = new Database(this.path('data', 'v2.db'));
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
    db.close();
    return this;
  }

  remove(): void {
    if (this.#central.open) this.#central.close();
    rmSync(this.#making, { recursive: true, force: true });
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Every name in it with its kind, size, times and bytes. */
  fingerprint(): readonly string[] {
    return [
      this.root,
      ...readdirSync(this.root, { recursive: true, encoding: 'utf8' }).map((name) => join(this.root, name)),
    ]
      .sort()
      .map((path) => {
        const stats = lstatSync(path, { bigint: true });
        const link = stats.isSymbolicLink() ? readlinkSync(path) : '';
        const hash = stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : link;
        return [path, stats.mode, stats.size, stats.mtimeNs, stats.ctimeNs, stats.ino, hash].join(' ');
      });
  }
}

const AT = '2026-01-02T03:04:05.000Z';

/** One session of it: its two databases, inbox and outbox. */
export class NanoclawSession {
  readonly folder: string;
  readonly #early: boolean;
  #seq = 0;
  #answerSeq = 1;

  constructor(folder: string, early: boolean) {
    this.folder = folder;
    this.#early = early;
    mkdirSync(join(folder, 'outbox'), { recursive: true });
    this.#open('inbound', (db) => db.exec(inbound(early ? '' : LATER_COLUMNS)));
    this.#open('outbound', (db) => db.exec(OUTBOUND));
  }

  /** As its host puts it there; what is given replaces that. */
  message(id: string, more: Row = {}): this {
    this.#seq += 2;
    const content = JSON.stringify({ sender: 'Ann', text: `text of ${id}` });
    const later = this.#early ? {} : { series_id: id };
    const row = {
      id,
      seq: this.#seq,
      kind: 'chat',
      timestamp: AT,
      platform_id: 'tg:1',
      channel_type: 'telegram',
      thread_id: '7',
      content,
      ...later,
      ...more,
    };
    this.#open('inbound', (db) => {
      insert(db, 'messages_in', row);
    });
    return this;
  }

  /** Very many completed ones at once; not numbered: as the first versions have them. */
  history(count: number, { numbered = true }: { readonly numbered?: boolean } = {}): this {
    this.#open('inbound', (db) => {
      const content = JSON.stringify({ text: 'old' });
      const one = db.prepare(
        "INSERT INTO messages_in (id, seq, kind, timestamp, status, content) VALUES (?, ?, 'chat', ?, 'completed', ?)",
      );
      db.transaction(() => {
        for (let at = 0; at < count; at += 1) one.run(`old-${at}`, numbered ? (this.#seq += 2) : null, AT, content);
      })();
    });
    return this;
  }

  ack(id: string, status: string, changed = AT): this {
    this.#open('outbound', (db) => {
      insert(db, 'processing_ack', { message_id: id, status, status_changed: changed });
    });
    return this;
  }

  answer(id: string, inReplyTo: string | null, text: string, delivered = true): this {
    this.#answerSeq += 2;
    this.#open('outbound', (db) => {
      insert(db, 'messages_out', {
        id,
        seq: this.#answerSeq,
        in_reply_to: inReplyTo,
        timestamp: AT,
        kind: 'chat',
        platform_id: 'tg:1',
        content: JSON.stringify({ text }),
      });
    });
    if (delivered) {
      this.#open('inbound', (db) => {
        insert(db, 'delivered', { message_out_id: id, platform_message_id: `tg-${id}`, delivered_at: AT });
      });
    }
    return this;
  }

  routing(): this {
    this.#open('inbound', (db) => {
      insert(db, 'session_routing', { id: 1, channel_type: 'telegram', platform_id: 'tg:1', thread_id: null });
      insert(db, 'destinations', { name: 'ann', type: 'channel', channel_type: 'telegram', platform_id: 'tg:1' });
    });
    return this;
  }

  state(key: string, value: string): this {
    this.#open('outbound', (db) => {
      insert(db, 'session_state', { key, value, updated_at: AT });
    });
    return this;
  }

  /** Its host was killed in the middle of a write: what was not committed is in the file, what it replaced in a journal. */
  killedWhileWriting(): this {
    const path = join(this.folder, 'inbound.db');
    const db = new Database(path);
    db.exec('PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN IMMEDIATE');
    db.prepare("UPDATE messages_in SET status = 'failed', content = content || ?").run(' '.repeat(2_000));
    for (const suffix of ['', '-journal']) cpSync(path + suffix, `${path}.kept${suffix}`);
    db.exec('ROLLBACK');
    db.close();
    for (const suffix of ['', '-journal']) renameSync(`${path}.kept${suffix}`, path + suffix);
    return this;
  }

  file(path: string, bytes: string): this {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), bytes);
    return this;
  }

  #open(file: 'inbound' | 'outbound', work: (db: Database.Database) => void): void {
    const db = new Database(join(this.folder, `${file}.db`));
    try {
      db.pragma('journal_mode = DELETE');
      db.pragma('synchronous = OFF');
      work(db);
    } finally {
      db.close();
    }
  }
}

function insert(db: Database.Database, table: string, row: Row): void {
  const names = Object.keys(row);
  db.prepare(`INSERT INTO ${table} ("${names.join('", "')}") VALUES (${names.map(() => '?').join(', ')})`).run(
    ...Object.values(row),
  );
}
