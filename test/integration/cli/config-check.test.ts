import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../support/cli.js';

let folder: string;
let dataDir: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightporter-config-'));
  dataDir = join(folder, 'data');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function written(text: string): string {
  const file = join(folder, 'new.yaml');
  writeFileSync(file, text);
  return file;
}

const check = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runCli(['config', 'check', ...args, '--data-dir', dataDir], { env });

describe('config check', () => {
  it('says ok where nothing is wrong, and makes nothing', async () => {
    expect(await check([])).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
    expect(await check([written('MAX_TRIES: 3\n')])).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
    expect(existsSync(dataDir)).toBe(false);
  });

  it('L24: reports all problems of file and environment at once, with the nearest known name, exit 2', async () => {
    const file = written('MAX_TRYS: 3\nSWEEP_INTERVAL_MS: soon\ngroups:\n  demo:\n    RUNTIME: docker\n');
    const result = await check([file], { NIGHTPORTER_MAX_TREIS: '1' });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/^nightporter: 4 problems with the settings:\n/);
    expect(result.stderr).toContain(`${file}:1: MAX_TRYS is no setting; the nearest known name is MAX_TRIES`);
    expect(result.stderr).toContain('SWEEP_INTERVAL_MS');
    expect(result.stderr).toContain('can only be set for the whole install');
    expect(result.stderr).toContain('NIGHTPORTER_MAX_TREIS is no setting');
  });

  it('prints problems and warnings as JSON', async () => {
    const file = written('MAX_TRIES: -1\nDEAD_LETTER_DAYS: many\n');
    const result = await check([file, '--json']);
    expect(result).toMatchObject({ code: 2, stderr: '' });
    expect(JSON.parse(result.stdout)).toEqual({
      ok: false,
      problems: [expect.stringContaining('MAX_TRIES')],
      warnings: [expect.stringContaining('DEAD_LETTER_DAYS')],
    });
  });

  it('shows what is odd, and lets it pass', async () => {
    const result = await check([written('DEAD_LETTER_DAYS: many\n')]);
    expect(result).toMatchObject({ code: 0, stdout: 'ok\n' });
    expect(result.stderr).toMatch(/^nightporter: warning: .*DEAD_LETTER_DAYS/);
  });

  it('refuses a file that is not there, and two of them', async () => {
    const missing = await check([join(folder, 'no.yaml')]);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toContain('there is no such file');
    const both = await check([written(''), '--config', join(folder, 'other.yaml')]);
    expect(both).toMatchObject({ code: 2, stdout: '' });
    expect(both.stderr).toContain('name two files');
  });

  it('config show is what config alone is', async () => {
    const [alone, show] = await Promise.all([
      runCli(['config', '--json', '--data-dir', dataDir]),
      runCli(['config', 'show', '--json', '--data-dir', dataDir]),
    ]);
    expect(alone).toEqual(show);
    expect(alone.code).toBe(0);
  });
});
