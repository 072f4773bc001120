import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StagedFile } from '../../../src/ports/staging.js';
import type { MessageId } from '../../../src/protocol/address.js';
import { StagingFolder } from '../../../src/store/staging.js';
import { chunksOf } from '../../support/desk-fixture.js';
import {
  DEMO,
  newMessage,
  openFiles,
  OTHER,
  queryRows,
  runSql,
  type FilesFixture,
} from '../../support/session-files-fixture.js';

let fixture: FilesFixture;
let staging: StagingFolder;
beforeEach(() => {
  fixture = openFiles({ attachments: { maxBytes: 3_000_000, max: 12 } });
  staging = new StagingFolder(fixture.dataDir);
});
afterEach(() => fixture.close());

const stage = (name: string, text: string): Promise<StagedFile> => staging.put(name, chunksOf(text), 1_000_000);
const inbox = (...names: readonly string[]): string => join(fixture.paths().inbox, ...names);
const outbox = (...names: readonly string[]): string => join(fixture.paths().outbox, ...names);

function answered(...ids: readonly string[]): void {
  const rows = ids.map((id) => `('${id}', '2030-01-01T00:00:00.000Z', 'chat', '{"text":""}')`).join(', ');
  runSql(fixture.paths().outbound, `INSERT INTO messages_out (id, timestamp, kind, content) VALUES ${rows}`);
}

async function filesOf(id: string) {
  const outcome = await fixture.files.replies(DEMO, 0, 100);
  if (outcome.kind !== 'ok') throw new Error(outcome.kind);
  return outcome.rows.find((row) => row.id === id)?.files;
}

async function readWhole(reply: string, name: string): Promise<Buffer | string> {
  const parts: Uint8Array[] = [];
  let identity: string | null = null;
  for (let offset = 0; ;) {
    const part = await fixture.files.readAttachment(DEMO, { reply, name, offset, identity });
    if (part.kind !== 'ok') return part.kind;
    if (!part.found) return part.why;
    parts.push(part.data);
    offset += part.data.byteLength;
    identity = part.identity;
    if (offset >= part.size) return Buffer.concat(parts);
  }
}

describe('the inbox', () => {
  it('has the files of a message, readable to any user, before its row is there', async () => {
    const attachments = [await stage('a.txt', 'one'), await stage('b.bin', '')];
    await fixture.files.create(DEMO);
    // Whoever sees the row must find the files: while it cannot be written, they are there already.
    runSql(
      fixture.paths().inbound,
      'CREATE TRIGGER no_rows BEFORE INSERT ON messages_in BEGIN SELECT raise(ABORT, 1); END',
    );
    await fixture.files.deliver(DEMO, [newMessage('m', { attachments })]).catch(() => undefined);
    expect(readFileSync(inbox('m', 'a.txt'), 'utf8')).toBe('one');
    runSql(fixture.paths().inbound, 'DROP TRIGGER no_rows');
    expect(await fixture.files.deliver(DEMO, [newMessage('m', { attachments })])).toMatchObject({
      inserted: 1,
      lostFiles: 0,
    });
    expect(readdirSync(inbox('m'))).toEqual(['a.txt', 'b.bin']);
    expect(statSync(inbox('m')).mode & 0o777).toBe(0o755);
    expect(statSync(inbox('m', 'a.txt')).mode & 0o777).toBe(0o644);
    expect(readdirSync(join(fixture.dataDir, 'staging'))).toEqual([]);
  });

  it('keeps them when a delivery is repeated after a crash before it was recorded', async () => {
    const message = newMessage('m', { attachments: [await stage('a.txt', 'one'), await stage('b.txt', 'two')] });
    await fixture.files.create(DEMO);
    // As a crash in between leaves it: one is moved, the other is not.
    mkdirSync(inbox('m'));
    const [first] = message.attachments ?? [];
    renameSync(join(fixture.dataDir, 'staging', first?.stage ?? '', 'a.txt'), inbox('m', 'a.txt'));
    for (const inserted of [1, 0]) {
      expect(await fixture.files.deliver(DEMO, [message])).toMatchObject({ inserted, lostFiles: 0 });
    }
    expect(readFileSync(inbox('m', 'b.txt'), 'utf8')).toBe('two');
  });

  it('delivers a message whose file vanished, and counts that', async () => {
    const attachments = [await stage('a.txt', 'one')];
    rmSync(join(fixture.dataDir, 'staging'), { recursive: true });
    expect(await fixture.files.deliver(DEMO, [newMessage('m', { attachments })])).toMatchObject({
      kind: 'ok',
      inserted: 1,
      lostFiles: 1,
    });
  });

  it.each(['inbox', 'inbox/m'])('F14: writes nothing through a link in place of %s', async (place) => {
    await fixture.files.create(DEMO);
    await fixture.files.create(OTHER);
    const victim = fixture.paths(OTHER).inbox;
    rmSync(join(fixture.paths().in, place), { recursive: true, force: true });
    symlinkSync(victim, join(fixture.paths().in, place));
    const attachments = [await stage('a.txt', 'one')];
    expect(await fixture.files.deliver(DEMO, [newMessage('m', { attachments })])).toMatchObject({ kind: 'hostile' });
    expect(readdirSync(victim)).toEqual([]);
    expect(queryRows(fixture.paths().inbound, 'SELECT id FROM messages_in')).toEqual([]);
  });

  // A file system of its own takes root.
  it.skipIf(process.getuid?.() !== 0)('reaches a session that is kept on another file system', async () => {
    const elsewhere = '/dev/shm/nightporter-attachments-test';
    mkdirSync(elsewhere, { recursive: true });
    try {
      mkdirSync(join(fixture.dataDir, 'sessions'));
      symlinkSync(elsewhere, join(fixture.dataDir, 'sessions', 'demo'));
      const file = await stage('a.txt', 'one, two, three');
      await fixture.files.create(DEMO);
      // What an earlier call had copied before its deadline.
      mkdirSync(inbox('m'));
      writeFileSync(inbox('m', `.${file.stage}`), 'one, ');
      expect(await fixture.files.deliver(DEMO, [newMessage('m', { attachments: [file] })])).toMatchObject({
        inserted: 1,
      });
      expect(readdirSync(inbox('m'))).toEqual(['a.txt']);
      expect(readFileSync(inbox('m', 'a.txt'), 'utf8')).toBe('one, two, three');
      const torn = await stage('b.txt', 'one, two, three');
      mkdirSync(inbox('n'));
      writeFileSync(inbox('n', `.${torn.stage}`), '\0\0\0\0');
      await expect(fixture.files.deliver(DEMO, [newMessage('n', { attachments: [torn] })])).rejects.toThrow(
        /made again/,
      );
      await fixture.files.deliver(DEMO, [newMessage('n', { attachments: [torn] })]);
      expect(readFileSync(inbox('n', 'b.txt'), 'utf8')).toBe('one, two, three');
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });
});

describe('the outbox', () => {
  beforeEach(async () => {
    await fixture.files.deliver(DEMO, [newMessage('m')]);
    await fixture.files.deliver(OTHER, [newMessage('m')]);
    answered('r');
  });

  it('is looked at only for answers, and gives their plain files, a MiB at a time', async () => {
    expect(await filesOf('r')).toBeUndefined();
    mkdirSync(outbox('r'));
    expect(await filesOf('r')).toBeUndefined();
    const large = Buffer.alloc(2_500_000, 'abcdefg');
    writeFileSync(outbox('r', 'large.bin'), large);
    writeFileSync(outbox('r', 'ä ö.txt'), '');
    expect(await filesOf('r')).toEqual({
      attachments: [
        { name: 'large.bin', bytes: 2_500_000 },
        { name: 'ä ö.txt', bytes: 0 },
      ],
      refused: [],
    });
    expect(large.equals(Buffer.from(await readWhole('r', 'large.bin')))).toBe(true);
    expect(await readWhole('r', 'ä ö.txt')).toEqual(Buffer.alloc(0));
    expect(await readWhole('r', 'none')).toBe('is not there');
    expect(await readWhole('none', 'a')).toBe('is not there');
  });

  it('F14: names links, fifos, folders, hard links, large files and odd names, and reads none of them', async () => {
    mkdirSync(outbox('r', 'folder'), { recursive: true });
    symlinkSync(fixture.paths(OTHER).inbound, outbox('r', 'link'));
    linkSync(fixture.paths(OTHER).inbound, outbox('r', 'hard'));
    execFileSync('mkfifo', [outbox('r', 'fifo')]);
    writeFileSync(outbox('r', 'large'), Buffer.alloc(3_000_001));
    for (const name of ['..x', 'a..b', '.hidden', 'esc\u001b[2J']) writeFileSync(outbox('r', name), 'x');
    writeFileSync(Buffer.concat([Buffer.from(`${outbox('r')}/bad-`), Buffer.from([0xff])]), 'x');
    writeFileSync(outbox('r', 'good'), 'x');
    const files = await filesOf('r');
    expect(files?.attachments).toEqual([{ name: 'good', bytes: 1 }]);
    expect(Object.fromEntries((files?.refused ?? []).map(({ name, why }) => [name, why]))).toEqual({
      '..x': 'its name is not safe: it begins with a dot',
      '.hidden': 'its name is not safe: it begins with a dot',
      'a..b': 'its name is not safe: it has ".."',
      'bad-\ufffd': 'its name is not UTF-8',
      'esc\u001b[2J': 'its name is not safe: it has characters that cannot be shown',
      fifo: 'is a fifo, not a regular file',
      folder: 'is a folder, not a regular file',
      hard: 'has 2 hard links',
      large: 'has 3000001 bytes, the most is 3000000 (ATTACHMENT_MAX_BYTES)',
      link: 'is a link, not a regular file',
    });
    for (const { name } of files?.refused ?? []) expect(await readWhole('r', name)).toBeTypeOf('string');
    for (const name of ['..', '../r/good', '', 'x'.repeat(300)]) {
      expect(await readWhole('r', name)).toMatch(/its name is not safe/);
      expect(await readWhole(name, 'good')).toMatch(/its name is not safe/);
    }
  });

  it.each(['outbox', 'outbox/r'])('F14: follows no link in place of %s', async (place) => {
    const victim = fixture.paths(OTHER).outbox;
    mkdirSync(join(victim, 'r'));
    writeFileSync(join(victim, 'r', 'secret'), 'x');
    rmSync(join(fixture.paths().out, place), { recursive: true, force: true });
    symlinkSync(place === 'outbox' ? victim : join(victim, 'r'), join(fixture.paths().out, place));
    expect(await filesOf('r')).toEqual({
      attachments: [],
      refused: [{ name: place === 'outbox' ? 'outbox' : 'r', why: 'is a link, not a folder' }],
    });
    expect(await readWhole('r', 'secret')).toBe('is not there');
  });

  it('shows no more files than ATTACHMENTS_MAX of one answer, and says so', async () => {
    mkdirSync(outbox('r'));
    for (let n = 10; n < 30; n += 1) writeFileSync(outbox('r', `f${String(n)}`), '');
    const files = await filesOf('r');
    expect(files?.attachments).toHaveLength(12);
    expect(files?.refused).toEqual([{ name: '', why: '8 more, the most is 12 (ATTACHMENTS_MAX)' }]);
  });

  it('hands out no file that is exchanged or changed between two parts', async () => {
    mkdirSync(outbox('r'));
    writeFileSync(outbox('r', 'f'), Buffer.alloc(2_000_000));
    const first = await fixture.files.readAttachment(DEMO, { reply: 'r', name: 'f', offset: 0, identity: null });
    if (first.kind !== 'ok' || !first.found) throw new Error('not read');
    rmSync(outbox('r', 'f'));
    writeFileSync(outbox('r', 'f'), Buffer.alloc(2_000_000, 'x'));
    expect(
      await fixture.files.readAttachment(DEMO, { reply: 'r', name: 'f', offset: 1_048_576, identity: first.identity }),
    ).toMatchObject({ found: false, why: 'was changed while it was read' });
  });
});

/** Deeper than any path may be long. */
function digDeep(folder: string): void {
  const dig = `process.chdir(process.argv[1]); const name = 'd'.repeat(200);
    for (let n = 0; n < 60; n += 1) { fs.mkdirSync(name); fs.writeFileSync('g', ''); process.chdir(name); }`;
  execFileSync(process.execPath, ['-e', dig, folder]);
}

describe('files of messages that are gone', () => {
  beforeEach(() => fixture.files.deliver(DEMO, [newMessage('m')]));

  it('are removed from inbox and outbox, links as links, however deep; the others stay', async () => {
    const victim = join(fixture.dataDir, 'victim');
    mkdirSync(victim);
    writeFileSync(join(victim, 'kept'), 'x');
    for (const folder of [inbox('m'), inbox('kept'), outbox('r'), outbox('kept')]) {
      mkdirSync(folder);
      writeFileSync(join(folder, 'f'), 'x');
    }
    symlinkSync(victim, outbox('r', 'link'));
    symlinkSync(victim, outbox('linked'));
    digDeep(outbox('r'));
    const files = { messages: ['m' as MessageId, '../kept' as MessageId], answers: ['r', 'linked', 'none', '..', ''] };
    expect(await fixture.files.removeMessageFiles(DEMO, files)).toEqual({ kind: 'ok', removed: 3 });
    expect(readdirSync(inbox())).toEqual(['kept']);
    expect(readdirSync(outbox())).toEqual(['kept']);
    expect(readdirSync(victim)).toEqual(['kept']);
    expect(await fixture.files.removeMessageFiles(DEMO, files)).toEqual({ kind: 'ok', removed: 0 });
  });

  it('go with their session', async () => {
    await fixture.files.deliver(DEMO, [newMessage('n', { attachments: [await stage('a.txt', 'one')] })]);
    mkdirSync(outbox('r'));
    symlinkSync(fixture.dataDir, outbox('r', 'link'));
    digDeep(outbox('r'));
    expect(await fixture.files.remove(DEMO)).toEqual({ kind: 'ok' });
    expect(existsSync(fixture.paths().session)).toBe(false);
    expect(existsSync(join(fixture.dataDir, 'workers.json'))).toBe(true);
  });
});

it('the hash of a staged file is that of its bytes', async () => {
  expect((await stage('a', 'one')).sha256).toBe(createHash('sha256').update('one').digest('hex'));
});
