import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyDatabase } from '../../../src/store/nanoclaw/copy-aside.js';
import { HeldFolder } from '../../../src/store/session-files/held-folder.js';

const MIB = 1024 * 1024;

describe('copying a database aside', () => {
  let root: string;
  let folder: HeldFolder;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'np-copy-'));
    const opened = HeldFolder.open(root);
    if (opened === undefined) throw new Error('no folder');
    folder = opened;
  });
  afterEach(() => {
    folder.close();
    rmSync(root, { recursive: true });
  });
  const copy = (step: Parameters<typeof copyDatabase>[4], maxBytes = 1024 * MIB) =>
    copyDatabase(folder, 'a.db', join(root, 'copy'), maxBytes, step);

  it('takes many calls for a large one, and its WAL along', () => {
    writeFileSync(join(root, 'a.db'), 'begin');
    truncateSync(join(root, 'a.db'), 40 * MIB);
    appendFileSync(join(root, 'a.db'), 'end');
    writeFileSync(join(root, 'a.db-wal'), 'wal');
    writeFileSync(join(root, 'copy-journal'), 'of a session before');
    const first = copy(null);
    if (first.done) throw new Error('it was done at once');
    expect(copy(first.step)).toEqual({ done: true, bytes: 40 * MIB + 3 });
    expect(readFileSync(join(root, 'copy')).equals(readFileSync(join(root, 'a.db')))).toBe(true);
    expect(readFileSync(join(root, 'copy-wal'), 'utf8')).toBe('wal');
    expect(statSync(join(root, 'copy-journal'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('refuses one that changes meanwhile, or is too large; one that is not there is none', () => {
    expect(copy(null)).toEqual({ done: true, bytes: null });
    writeFileSync(join(root, 'a.db'), '');
    truncateSync(join(root, 'a.db'), 33 * MIB);
    const first = copy(null);
    if (first.done) throw new Error('it was done at once');
    writeFileSync(join(root, 'a.db-journal'), 'x');
    expect(() => copy(first.step)).toThrow('a.db changes while it is read: stop NanoClaw first');
    expect(() => copy(null, 33 * MIB - 1)).toThrow(`a.db has ${33 * MIB} bytes, over ${33 * MIB - 1}`);
  });
});
