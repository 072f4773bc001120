import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { NoticeKind } from '../../src/ports/notices.js';
import type { SessionPaths } from '../../src/store/session-files/session-paths.js';
import { STEERING } from './control-characters.js';
import { ENDLESS_SELECT, setWalHeader, superJournal } from './hostile-bytes.js';
import { holdWith, runSql, spilledTransaction } from './session-files-fixture.js';

export interface Ground {
  readonly paths: SessionPaths;
  /** A database outside the data dir. */
  readonly victim: string;
  /** Another session, which nobody sends anything. */
  readonly neighbour: SessionPaths;
  /** Run when the test is over. */
  readonly later: (cleanUp: () => void) => void;
}

type Plant = (ground: Ground) => void | Promise<void>;

/**
 * - refused: quarantined, its message kept;
 * - repaired: the file moved aside and kept, its message answered after one more try;
 * - served: its message answered as if nothing were there;
 * - stopped: its container stopped for `reason`, its message answered by the next one;
 * - failed: its message is a dead letter.
 */
export type Outcome = 'refused' | 'repaired' | 'served' | 'stopped' | 'failed';

export interface HostileCase {
  readonly outcome: Outcome;
  /** What is told of it: each kind of notice with what its text says. */
  readonly notices: Readonly<Partial<Record<NoticeKind, RegExp>>>;
  /** Before its message is sent; none: test/support/hostile-runner.mjs does it, by the case's name. */
  readonly plant?: Plant;
  readonly reason?: string;
  /** Its message comes with a file. */
  readonly attaches?: true;
  /** Its check between looking and opening can be lost to a race: SQLite reads 100 bytes before it is refused. */
  readonly races?: true;
  /** mknod is root's. */
  readonly asRoot?: true;
}

const refused = (text: RegExp, plant: Plant): HostileCase => ({
  outcome: 'refused',
  notices: { quarantined: text },
  plant,
});
const repaired = (plant: Plant): HostileCase => ({
  outcome: 'repaired',
  notices: { replaced_corrupt_file: /outbound\.db .* was corrupt \(SQLITE_(CORRUPT|NOTADB)/ },
  plant,
});
const served = (plant: Plant): HostileCase => ({ outcome: 'served', notices: {}, plant });
const stopped = (reason: string, text: RegExp): HostileCase => ({
  outcome: 'stopped',
  notices: { stopped: text },
  reason,
});

/** Something else in place of outbound.db. */
const instead =
  (put: (path: string, ground: Ground) => void): Plant =>
  (ground) => {
    rmSync(ground.paths.outbound);
    put(ground.paths.outbound, ground);
  };
const tables = (sql: string): Plant =>
  instead((path) => {
    runSql(path, sql);
  });
const rows =
  (sql: string): Plant =>
  ({ paths }) => {
    runSql(paths.outbound, sql);
  };
const folderAsLink =
  (folder: 'inbox' | 'out' | 'outbox'): Plant =>
  ({ paths, neighbour }) => {
    renameSync(paths[folder], `${paths[folder]}-kept`);
    symlinkSync(neighbour[folder], paths[folder]);
  };

const ACK_COLUMNS = 'message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT NOT NULL';
const answer = (id: string, content: string, timestamp = '2026-01-01 00:00:00'): string =>
  `INSERT INTO messages_out (id, in_reply_to, timestamp, kind, content) VALUES ('${id}', '${id}', '${timestamp}', '${id}', ${content});`;

/** By the name of the session's second part. */
export const HOSTILE_CASES: Readonly<Record<string, HostileCase>> = {
  'link-outside': refused(
    /is a link/,
    instead((path, { victim }) => {
      symlinkSync(victim, path);
    }),
  ),
  'link-to-a-session': refused(
    /is a link/,
    instead((path, { neighbour }) => {
      symlinkSync(neighbour.outbound, path);
    }),
  ),
  'link-to-passwd': refused(
    /is a link/,
    instead((path) => {
      symlinkSync('/etc/passwd', path);
    }),
  ),
  'link-to-nothing': refused(
    /is a link/,
    instead((path, { victim }) => {
      symlinkSync(`${victim}-made`, path);
    }),
  ),
  'second-name': refused(
    /has 2 hard links/,
    instead((path, { victim }) => {
      linkSync(victim, path);
    }),
  ),
  fifo: refused(
    /is a fifo/,
    instead((path) => {
      execFileSync('mkfifo', [path]);
    }),
  ),
  folder: refused(
    /is a folder/,
    instead((path) => {
      mkdirSync(path);
    }),
  ),
  device: {
    ...refused(
      /is a device/,
      instead((path) => {
        execFileSync('mknod', [path, 'c', '1', '5']);
      }),
    ),
    asRoot: true,
  },
  socket: refused(/is a socket/, ({ paths, later }) => listenAt(paths.outbound, later)),
  'ten-gigabytes': refused(/has 10000000000 bytes/, ({ paths }) => {
    truncateSync(paths.outbound, 10_000_000_000);
  }),
  'wrong-schema': refused(
    /has no column status_changed/,
    tables('CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT)'),
  ),
  'endless-view': refused(
    /processing_ack is a view/,
    tables(`CREATE VIEW processing_ack AS ${ENDLESS_SELECT}; CREATE VIEW messages_out AS ${ENDLESS_SELECT}`),
  ),
  'generated-column': refused(
    /generated or hidden columns/,
    tables(
      `CREATE TABLE processing_ack (${ACK_COLUMNS}, error TEXT AS (hex(zeroblob(200000000))) VIRTUAL); INSERT INTO processing_ack VALUES ('m', 'failed', '2026')`,
    ),
  ),
  trigger: refused(
    /trigger/,
    rows('CREATE TRIGGER more AFTER DELETE ON processing_ack BEGIN SELECT hex(zeroblob(100000000)); END'),
  ),
  'steering-name': refused(/is on an expression/, rows(`CREATE INDEX "${STEERING}" ON messages_out (hex(id))`)),
  'endless-time': refused(
    /status_changed/,
    rows(
      "INSERT INTO processing_ack (message_id, status, status_changed) VALUES ('m', 'completed', hex(zeroblob(50000000)))",
    ),
  ),
  wal: refused(/WAL/, ({ paths }) => {
    setWalHeader(paths.outbound);
  }),
  'super-journal': refused(/names a super-journal/, ({ paths, victim }) => {
    writeFileSync(`${paths.outbound}-journal`, superJournal(victim));
  }),
  'journal-as-link': refused(/is a link/, ({ paths, victim }) => {
    symlinkSync(victim, `${paths.outbound}-journal`);
  }),
  'heartbeat-as-folder': refused(/\.heartbeat: is a folder/, ({ paths }) => {
    mkdirSync(paths.heartbeat);
  }),
  'out-as-link': refused(/is a link/, folderAsLink('out')),
  'inbox-as-link': { ...refused(/is a link/, folderAsLink('inbox')), attaches: true },

  garbage: repaired(({ paths }) => {
    writeFileSync(paths.outbound, 'garbage '.repeat(2_000));
  }),
  'zero-filled': repaired(({ paths }) => {
    writeFileSync(paths.outbound, Buffer.alloc(readFileSync(paths.outbound).length));
  }),
  truncated: repaired(({ paths }) => {
    truncateSync(paths.outbound, readFileSync(paths.outbound).length / 2);
  }),
  'flipped-bit': repaired(({ paths }) => {
    const bytes = readFileSync(paths.outbound);
    // The kind of the schema's first page.
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(paths.outbound, bytes);
  }),

  empty: served(({ paths }) => {
    truncateSync(paths.outbound, 0);
  }),
  'hot-journal': served(plantHotJournal),
  'million-rows': served(
    rows(`PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -200000;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
      INSERT INTO processing_ack (message_id, status, status_changed)
      SELECT printf('%07d', i), iif(i % 2, 'processing', 'completed'), '2026' FROM n`),
  ),
  'cell-of-100-MB': served(rows(answer('large', 'zeroblob(100000000)'))),
  'steering-rows': served(({ paths }) => {
    runSql(
      paths.outbound,
      `${answer(STEERING, `'${JSON.stringify({ text: STEERING })}'`, STEERING)} ${answer('r', "'{}'")}
      INSERT INTO processing_ack (message_id, status, status_changed, error) VALUES ('${STEERING}', 'failed', '${STEERING}', '${STEERING}');
      INSERT INTO container_state (id, current_tool, updated_at) VALUES (1, '${STEERING}', '2026')`,
    );
    mkdirSync(`${paths.outbox}/r`);
    appendFileSync(`${paths.outbox}/r/${STEERING}`, 'x');
  }),
  'outbox-that-leads-out': served(({ paths, victim, neighbour }) => {
    runSql(paths.outbound, ['r', '../..', 's', 't'].map((id) => answer(id, "'{}'")).join(''));
    mkdirSync(`${paths.outbox}/r`);
    symlinkSync(victim, `${paths.outbox}/r/link`);
    linkSync(victim, `${paths.outbox}/r/second-name`);
    execFileSync('mkfifo', [`${paths.outbox}/r/fifo`]);
    writeFileSync(`${paths.outbox}/r/good`, 'good');
    symlinkSync(neighbour.out, `${paths.outbox}/s`);
    symlinkSync('../../..', `${paths.outbox}/t`);
  }),
  'outbox-as-link': refused(/out\/outbox: is a link/, folderAsLink('outbox')),
  'old-heartbeat-of-next-year': served(({ paths }) => {
    writeFileSync(paths.heartbeat, '');
    utimesSync(paths.heartbeat, 4_000_000_000, 4_000_000_000);
  }),
  'heartbeat-as-link': served(({ paths, victim }) => {
    symlinkSync(victim, paths.heartbeat);
  }),

  'steering-error': {
    outcome: 'failed',
    notices: { dead_letter: /ended as failed/ },
    plant: rows(`INSERT INTO processing_ack (message_id, status, status_changed, attempt, error, error_class)
      VALUES ('m', 'failed', '2026-01-01 00:00:00', 0, '${STEERING}', 'fatal')`),
  },

  'holds-exclusive': stopped('locked', /\(locked\): its files are locked for \d+ ms/),
  'beats-in-the-future': stopped('stale_and_stuck', /\(stale_and_stuck\): no heartbeat for \d+ ms/),
  'beats-as-a-link': stopped('stale_and_stuck', /\(stale_and_stuck\)/),
  'runs-a-long-tool': stopped('stale_and_stuck', /\(stale_and_stuck\)/),
  'beats-as-a-folder': {
    outcome: 'refused',
    notices: { stopped: /\(stale_and_stuck\)/, quarantined: /\.heartbeat: is a folder/ },
    reason: 'stale_and_stuck',
  },
  'exchanges-the-file': {
    outcome: 'refused',
    notices: {
      stopped: /\(hostile\)/,
      quarantined: /is a (link|fifo)|has 2 hard links|leads to another file|was exchanged/,
    },
    reason: 'hostile',
    races: true,
  },
};

async function listenAt(path: string, later: Ground['later']): Promise<void> {
  rmSync(path);
  const server = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  later(() => server.close());
}

/** As a runner leaves it that was killed in the middle of a commit. */
async function plantHotJournal({ paths }: Ground): Promise<void> {
  const insert = `INSERT INTO messages_out (id, timestamp, kind, content) SELECT 'x' || i, '2026', 'chat', hex(zeroblob(500))`;
  const holder = await holdWith(paths.outbound, spilledTransaction('messages_out', insert));
  await holder.kill();
}
