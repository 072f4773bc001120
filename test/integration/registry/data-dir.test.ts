import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataDir, requireDataDir } from '../../../src/store/data-dir.js';
import { temporaryDir } from './fixture.js';

test('a data dir is made for its owner alone; one that exists is left as it is', () => {
  const dir = temporaryDir();
  expect(openDataDir(join(dir, 'a', 'b'))).toBe(join(dir, 'a', 'b'));
  expect(statSync(join(dir, 'a', 'b')).mode & 0o777).toBe(0o700);
  mkdirSync(join(dir, 'theirs'));
  chmodSync(join(dir, 'theirs'), 0o750);
  openDataDir(join(dir, 'theirs'));
  expect(statSync(join(dir, 'theirs')).mode & 0o777).toBe(0o750);
});

test('a data dir that is a file, or lies in one, is refused with what to do', () => {
  const file = join(temporaryDir(), 'file');
  writeFileSync(file, '');
  for (const path of [file, join(file, 'data')]) {
    expect(() => openDataDir(path)).toThrow(/is no directory/);
    expect(() => requireDataDir(path)).toThrow(/is no directory/);
  }
});

test('a data dir that does not exist is not found by readers, and not made', () => {
  const path = join(temporaryDir(), 'none');
  expect(() => requireDataDir(path)).toThrow(expect.objectContaining({ code: 'not_found' }));
  expect(existsSync(path)).toBe(false);
});

// Permissions do not bind root.
test.skipIf(process.getuid?.() === 0)('a data dir that cannot be written is refused with what to do', () => {
  const dir = temporaryDir();
  chmodSync(dir, 0o500);
  for (const path of [dir, join(dir, 'data')]) expect(() => openDataDir(path)).toThrow(/--data-dir/);
  chmodSync(dir, 0o700);
});

test('a data dir in a place where none can be made is refused', () => {
  expect(() => openDataDir('/proc/nightporter')).toThrow(/data dir \/proc\/nightporter/);
});
