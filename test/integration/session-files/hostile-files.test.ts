import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionPaths } from '../../../src/store/session-files/session-paths.js';
import { ENDLESS_SELECT, setWalHeader, superJournal } from '../../support/hostile-bytes.js';
import {
  address,
  DEMO,
  newMessage,
  openFiles,
  OTHER,
  runSql,
  type FilesFixture,
} from '../../support/session-files-fixture.js';

let fixture: FilesFixture;
beforeEach(async () => {
  fixture = openFiles();
  await fixture.files.deliver(DEMO, [newMessage('m')]);
  await fixture.files.deliver(OTHER, [newMessage('m')]);
});
afterEach(() => fixture.close());

const ACK_COLUMNS = 'message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT NOT NULL';

function replaceOutbound(paths: SessionPaths, sql: string): void {
  rmSync(paths.outbound);
  runSql(paths.outbound, sql);
}

/** A victim outside the session: must be as it was afterwards. */
function victimOf(): string {
  return fixture.paths(OTHER).outbound;
}

type Plant = (paths: SessionPaths) => void;
const LINKS: Readonly<Record<string, Plant>> = {
  'out/ is a link': (paths) => {
    renameSync(paths.out, `${paths.out}-kept`);
    symlinkSync(fixture.paths(OTHER).out, paths.out);
  },
  'in/ is a link': (paths) => {
    renameSync(paths.in, `${paths.in}-kept`);
    symlinkSync(fixture.paths(OTHER).in, paths.in);
  },
  'the session folder is a link': (paths) => {
    renameSync(paths.session, `${paths.session}-kept`);
    symlinkSync(fixture.paths(OTHER).session, paths.session);
  },
  'outbound.db is a link': (paths) => {
    rmSync(paths.outbound);
    symlinkSync(victimOf(), paths.outbound);
  },
  'outbound.db is a link to nowhere': (paths) => {
    rmSync(paths.outbound);
    symlinkSync(join(fixture.dataDir, 'made-by-a-link'), paths.outbound);
  },
  'outbound.db is a hard link': (paths) => {
    const victim = join(fixture.dataDir, 'victim.db');
    renameSync(paths.outbound, victim);
    linkSync(victim, paths.outbound);
  },
  'inbound.db is a link': (paths) => {
    rmSync(paths.inbound);
    symlinkSync(fixture.paths(OTHER).inbound, paths.inbound);
  },
  "outbound.db's journal is a link": (paths) => {
    symlinkSync(victimOf(), `${paths.outbound}-journal`);
  },
  "inbound.db's journal is a link": (paths) => {
    symlinkSync(victimOf(), `${paths.inbound}-journal`);
  },
};

const ODD_FILES: Readonly<Record<string, Plant>> = {
  'outbound.db is a folder': (paths) => {
    rmSync(paths.outbound);
    mkdirSync(paths.outbound);
  },
  'outbound.db is a fifo': (paths) => {
    rmSync(paths.outbound);
    execFileSync('mkfifo', [paths.outbound]);
  },
  'the journal is a fifo': (paths) => {
    execFileSync('mkfifo', [`${paths.outbound}-journal`]);
  },
  'the journal is a folder': (paths) => {
    mkdirSync(`${paths.outbound}-journal`);
  },
  'a sparse outbound.db of 10 GB': (paths) => {
    truncateSync(paths.outbound, 10_000_000_000);
  },
  'the header says WAL, beside a truncated -shm': (paths) => {
    setWalHeader(paths.outbound);
  },
  'a -wal beside an innocent header': (paths) => {
    writeFileSync(`${paths.outbound}-wal`, Buffer.alloc(64, 1));
  },
  'a journal that names a super-journal': (paths) => {
    writeFileSync(`${paths.outbound}-journal`, superJournal(victimOf()));
  },
};

const ODD_TABLES: Readonly<Record<string, string>> = {
  'an endless view named processing_ack': `CREATE VIEW processing_ack AS ${ENDLESS_SELECT}`,
  'an endless view with other letters': `CREATE VIEW PROCESSING_ACK AS ${ENDLESS_SELECT}`,
  'a virtual table': 'CREATE VIRTUAL TABLE processing_ack USING fts5(message_id, status, status_changed)',
  'a generated column': `CREATE TABLE processing_ack (${ACK_COLUMNS},
     error TEXT GENERATED ALWAYS AS (hex(zeroblob(200000000))) VIRTUAL)`,
  'a stored generated column': `CREATE TABLE processing_ack (${ACK_COLUMNS}, error TEXT AS (hex(status)) STORED)`,
  'a trigger': `CREATE TABLE processing_ack (${ACK_COLUMNS});
     CREATE TRIGGER more AFTER DELETE ON processing_ack BEGIN SELECT hex(zeroblob(100000000)); END`,
  'an index on an expression': `CREATE TABLE processing_ack (${ACK_COLUMNS});
     CREATE INDEX heavy ON processing_ack (hex(zeroblob(1000000)))`,
  'no key': 'CREATE TABLE processing_ack (message_id TEXT, status TEXT, status_changed TEXT)',
  'no rowid': `CREATE TABLE processing_ack (${ACK_COLUMNS}) WITHOUT ROWID`,
  'a column that hides the rowid': `CREATE TABLE processing_ack (${ACK_COLUMNS}, rowid TEXT)`,
  'a column that is missing': 'CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL)',
  'thousands of tables': Array.from({ length: 600 }, (_, index) => `CREATE TABLE t${String(index)} (a);`).join(''),
  'a declaration over limits': `CREATE TABLE processing_ack (${ACK_COLUMNS}, x TEXT DEFAULT '${'x'.repeat(30_000)}')`,
};

/** Nothing that the host may do with a session gets through, and nothing outside changes. */
async function expectRefused(): Promise<void> {
  const victims = [fixture.paths(OTHER).outbound, fixture.paths(OTHER).inbound];
  const before = victims.map((path) => readFileSync(path));
  const nowMs = Date.now();
  const outcomes = [
    await fixture.files.look(DEMO, { nowMs, lane: 'normal' }),
    await fixture.files.prepareStart(DEMO, { nowMs, lane: 'normal', resumeMaxAgeMs: 0 }),
  ];
  await fixture.files.deliver(DEMO, [newMessage('n')]);
  await fixture.files.create(DEMO);
  expect(outcomes.map((outcome) => outcome.kind)).toEqual(['hostile', 'hostile']);
  victims.forEach((path, index) => {
    expect(readFileSync(path).equals(before[index] ?? Buffer.alloc(0))).toBe(true);
  });
  expect(existsSync(join(fixture.dataDir, 'made-by-a-link'))).toBe(false);
  expect(await fixture.look(OTHER)).toMatchObject({ kind: 'ok', due: { dueCount: 1 } });
}

describe('F14: a planted link is refused, and nothing is written through it', () => {
  for (const [name, plant] of Object.entries(LINKS)) {
    it(name, async () => {
      plant(fixture.paths());
      await expectRefused();
    });
  }

  it('a heartbeat that is a link counts as none, and is removed without following it', async () => {
    const { heartbeat } = fixture.paths();
    symlinkSync(victimOf(), heartbeat);
    expect(await fixture.look()).toMatchObject({ kind: 'ok', heartbeatMtimeMs: null });
    expect(
      await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'normal', resumeMaxAgeMs: 0 }),
    ).toMatchObject({ kind: 'ok' });
    expect(existsSync(heartbeat)).toBe(false);
    expect(await fixture.look(OTHER)).toMatchObject({ kind: 'ok' });
  });

  it('inbound.db in out/ is not read, whatever it is', async () => {
    const { inboundLink } = fixture.paths();
    rmSync(inboundLink);
    mkdirSync(inboundLink);
    expect(
      await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'normal', resumeMaxAgeMs: 0 }),
    ).toMatchObject({ kind: 'ok' });
  });
});

describe('F38: what must not be opened is refused before it is', () => {
  for (const [name, plant] of Object.entries(ODD_FILES)) {
    it(name, async () => {
      plant(fixture.paths());
      await expectRefused();
    });
  }
  for (const [name, sql] of Object.entries(ODD_TABLES)) {
    it(name, async () => {
      replaceOutbound(fixture.paths(), sql);
      await expectRefused();
    });
  }

  it('a cell of 100 MB is cut or left out, and costs no memory', async () => {
    runSql(
      fixture.paths().outbound,
      `INSERT INTO processing_ack (message_id, status, status_changed, error)
         VALUES ('m', 'failed', '2026-01-01 00:00:00', hex(zeroblob(50000000)));
       INSERT INTO messages_out (id, in_reply_to, timestamp, kind, content)
         VALUES (hex(zeroblob(50000000)), hex(zeroblob(50000000)), '2026', 'chat', hex(zeroblob(50000000)))`,
    );
    expect(await fixture.look()).toMatchObject({ kind: 'ok', acked: [{ ack: { status: 'failed', error: null } }] });
    expect(await fixture.files.replies(DEMO, 0, 10)).toMatchObject({
      rows: [{ id: '', inReplyTo: null, content: '', truncated: true }],
    });
  });
});

describe('F1: one bad session costs the others nothing', () => {
  it('garbage is corrupt, with a signature of its bytes', async () => {
    const { outbound } = fixture.paths();
    writeFileSync(outbound, 'garbage '.repeat(2_000));
    const first = await fixture.look();
    expect(first).toMatchObject({ kind: 'corrupt', file: 'outbound.db' });
    expect(await fixture.look()).toEqual(first);
    writeFileSync(outbound, 'other garbage '.repeat(2_000));
    const other = await fixture.look();
    expect(other.kind === 'corrupt' && first.kind === 'corrupt' && other.signature !== first.signature).toBe(true);
    expect(await fixture.look(OTHER)).toMatchObject({ kind: 'ok' });
  });

  it('a million acks of strangers are read up to a limit', async () => {
    runSql(
      fixture.paths().outbound,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
         INSERT INTO processing_ack (message_id, status, status_changed)
         SELECT 'stranger-' || i, iif(i % 2, 'processing', 'completed'), '2026-01-01 00:00:00' FROM n;
       INSERT INTO processing_ack (message_id, status, status_changed) VALUES ('m', 'completed', '2026-01-01 00:00:00')`,
    );
    const startedAt = performance.now();
    const look = await fixture.look();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    if (look.kind !== 'ok') throw new Error(look.kind);
    expect(look.acked).toMatchObject([{ message: { id: 'm' }, ack: { status: 'completed' } }]);
    expect(look.strayClaims.length).toBeLessThanOrEqual(256);
  });

  it('the good ones are served in the same round while the event loop goes on', async () => {
    const bad = { ...ODD_FILES, ...LINKS };
    const names = Object.keys(bad).map((_, index) => address(`bad/s${String(index)}`));
    const good = Array.from({ length: 20 }, (_, index) => address(`good/s${String(index)}`));
    for (const session of [...names, ...good]) await fixture.files.deliver(session, [newMessage('m')]);
    Object.values(bad).forEach((plant, index) => {
      plant(fixture.paths(names[index]));
    });
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const looks = await Promise.all([...names, ...good].map((session) => fixture.look(session)));
    delay.disable();
    expect(looks.map((look) => look.kind)).toEqual([...names.map(() => 'hostile'), ...good.map(() => 'ok')]);
    expect(delay.max / 1e6).toBeLessThan(50);
  });

  it('an exchange of the whole folder by a copy changes the signature', async () => {
    const [before] = await fixture.files.signatures([DEMO]);
    const { outbound } = fixture.paths();
    copyFileSync(outbound, `${outbound}.copy`);
    renameSync(`${outbound}.copy`, outbound);
    expect((await fixture.files.signatures([DEMO]))[0]).not.toBe(before);
  });
});
