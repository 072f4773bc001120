import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DiskFull } from '../../../src/protocol/errors.js';
import { batches } from '../../../src/store/registry/batches.js';
import { openForWriting } from '../../../src/store/registry/connection.js';
import { migrate } from '../../../src/store/registry/migrations.js';
import { openRegistry } from '../../../src/store/registry/open-registry.js';
import { sessions } from '../../../src/store/registry/sessions.js';
import { spool } from '../../../src/store/registry/spool.js';
import { StagingFolder } from '../../../src/store/staging.js';
import { chunksOf } from '../../support/desk-fixture.js';
import { canMount, smallDisk } from '../../support/small-disk.js';
import { address, incoming, openedForReading, temporaryDir } from './fixture.js';

const DEMO = address('demo/first');

test('F35: a full disk is an error of its own, leaves nothing half written, and is over when there is space', () => {
  const file = join(temporaryDir(), 'registry.db');
  const connection = openForWriting(file);
  onTestFinished(() => {
    connection.close();
  });
  migrate(connection, file);
  const { accept, spooled } = spool(connection);
  const { acceptAll } = batches(connection);
  accept(incoming('demo/first', 'a'));
  connection.db.pragma('max_page_count = 1');
  const batch = Array.from({ length: 500 }, (_, n) => incoming(`demo/s${n}`, `m${n}`));
  expect(() => acceptAll(batch)).toThrow(DiskFull);
  expect([...sessions(connection).eachSession()].map((record) => record.address)).toEqual([DEMO]);
  expect(spooled(DEMO, 10)).toHaveLength(1);
  connection.db.pragma('max_page_count = 100000');
  expect(acceptAll(batch)).toMatchObject({ accepted: 500 });
});

// A file system of its own takes root.
test.skipIf(!canMount())('F35: the same on a disk that is really full', () => {
  const dataDir = join(smallDisk(4), 'data');
  const registry = openRegistry({ dataDir, mode: 'write' });
  const ballast = join(dataDir, 'ballast');
  registry.accept(incoming('demo/first', 'a'));
  expect(() => {
    writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024));
  }).toThrow(/ENOSPC/);
  const large = { content: JSON.stringify({ text: 'x'.repeat(500_000) }) };
  expect(() => registry.accept(incoming('demo/first', 'b', large))).toThrow(DiskFull);
  expect(registry.totals().messages.spooled).toBe(1);
  expect(openedForReading(dataDir).totals().messages.spooled).toBe(1);
  rmSync(ballast);
  expect(registry.accept(incoming('demo/first', 'b', large))).toEqual({ kind: 'accepted' });
  registry.close();
  expect(openedForReading(dataDir).totals().messages.spooled).toBe(2);
});

test.skipIf(!canMount())(
  'F35: an attachment that does not fit leaves nothing, and fits when there is space',
  async () => {
    const dataDir = smallDisk(4);
    const staging = new StagingFolder(dataDir);
    const ballast = join(dataDir, 'ballast');
    writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024));
    const put = () => staging.put('a', chunksOf(...Array.from({ length: 32 }, () => Buffer.alloc(65_536))), 10_000_000);
    await expect(put()).rejects.toThrow(DiskFull);
    await expect(put()).rejects.toThrow(/no space left for the attachment "a": nothing was accepted/);
    expect(readdirSync(join(dataDir, 'staging'))).toEqual([]);
    rmSync(ballast);
    expect(await put()).toMatchObject({ bytes: 2_097_152 });
  },
);
