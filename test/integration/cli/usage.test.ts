import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../support/cli.js';

let folder: string;
let dataDir: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightporter-usage-'));
  dataDir = join(folder, 'data');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const oneLine = (pattern: RegExp): RegExp => new RegExp(`^nightporter: [^\\n]*${pattern.source}[^\\n]*\\n$`, 'i');

describe('what is typed wrong', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['an unknown command', ['stauts'], /unknown command 'stauts' \(Did you mean status\?\)/],
    ['an unknown command of a group', ['session', 'lits'], /unknown command 'lits' \(Did you mean list\?\)/],
    ['an unknown option', ['status', '--jsn'], /unknown option '--jsn' \(Did you mean --json\?\)/],
    ['a missing argument', ['replies'], /missing required argument 'group\/session': see "nightporter replies --help"/],
    ['too many arguments', ['send', 'a/b', 'two', 'words'], /too many arguments/],
    ['no text', ['send', 'a/b'], /no text for a\/b/],
    ['nothing to send', ['send'], /no session and no text/],
    ['a bad address', ['send', 'a-b', 'x'], /"a-b" is no session address/],
    ['a bad address to read', ['replies', '../etc'], /is no session address/],
    ['a bad date', ['send', 'a/b', 'x', '--after', '2030-13-01'], /"2030-13-01" is no time for --after/],
    ['a bad id', ['send', 'a/b', 'x', '--id', 'a b'], /"a b" is no message id/],
    ['a missing value', ['send', 'a/b', 'x', '--id'], /option '--id <id>' argument missing/],
    ['a runtime that is none', ['start', '--runtime', 'podman'], /Allowed choices are auto, docker, process/],
    ['a batch file that is not there', ['send', '--batch', '/no/such/file'], /--batch cannot read \/no\/such\/file/],
    ['a batch that is a folder', ['send', '--batch', '/tmp'], /--batch cannot read \/tmp: it is a folder/],
    ['a batch with the options of one message', ['send', '--batch', '-', '--id', 'x'], /--batch takes text, id/],
    ['a command that does not exist', ['schedules'], /unknown command 'schedules'/],
  ])('%s: exit 2, one line on stderr, nothing on stdout, nothing made', async (_what, args, message) => {
    const result = await runCli(args, { env: { NIGHTPORTER_DATA_DIR: dataDir } });
    expect(result.stderr).toMatch(oneLine(message));
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(existsSync(dataDir)).toBe(false);
  });

  it('no command at all: help on stderr, exit 2', async () => {
    const result = await runCli([]);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/^Usage: nightporter/);
    expect(await runCli(['session'])).toMatchObject({ code: 2, stdout: '' });
  });

  it.each(['NIGHTPORTER_STALE_THRESHOLD_MS', 'NIGHTPORTER_MAX_TRIES'])('a negative %s: exit 2', async (name) => {
    const result = await runCli(['start', '--data-dir', dataDir], { env: { [name]: '-1' } });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain(name);
    expect(existsSync(join(dataDir, 'registry.db'))).toBe(false);
  });

  it('standard input that is not UTF-8: exit 2', async () => {
    const result = await runCli(['send', 'a/b', '-', '--data-dir', dataDir], { input: Buffer.from([0xff, 0xfe]) });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(oneLine(/not UTF-8/));
  });
});

describe('a data dir that is not there (F32)', () => {
  it.each([
    [['status']],
    [['replies', 'a/b']],
    [['session', 'list']],
    [['session', 'show', 'a/b']],
    [['dead', 'list']],
    [['logs', 'a/b']],
    [['sweep']],
    [['sweep', '--dry-run']],
    [['drain']],
  ])('%j: exit 3, and none is made', async (args) => {
    const result = await runCli([...args, '--json', '--data-dir', dataDir]);
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toMatch(oneLine(/there is no data in/));
    expect(existsSync(dataDir)).toBe(false);
  });

  it('one that cannot be made: exit 1, says where', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const args of [
      ['start', '--runtime', 'process', '--data-dir', join(file, 'data')],
      // A place where nobody may make a folder, root included.
      ['send', 'a/b', 'x', '--data-dir', '/proc/nightporter'],
    ]) {
      const result = await runCli(args);
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).toContain(args.at(-1));
    }
  });
});

describe('help', () => {
  it.each([
    [['--help']],
    [['help', 'send']],
    [['start', '--help']],
    [['status', '--help']],
    [['send', '--help']],
    [['replies', '-h']],
    [['session', '--help']],
    [['session', 'create', '--help']],
    [['session', 'list', '--help']],
    [['session', 'release', '--help']],
    [['sweep', '--help']],
    [['dead', 'list', '--help']],
    [['logs', '--help']],
    [['drain', '--help']],
    [['config', '--help']],
  ])('%j is on stdout, exit 0, with examples', async (args) => {
    const result = await runCli(args);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^Usage: nightporter/);
    expect(result.stdout).toContain('Examples:');
    expect(result.stdout).toContain('--data-dir');
  });

  it('tells the version', async () => {
    const { code, stdout } = await runCli(['--version']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('config', () => {
  it('shows values and where they come from, without secrets, and makes nothing', async () => {
    const config = join(folder, 'other.yaml');
    writeFileSync(config, 'MAX_TRIES: 2\nENVIRONMENT:\n  - TOKEN=swordfish\n');
    const env = { NIGHTPORTER_SWEEP_INTERVAL_MS: '5000' };
    const json = await runCli(['config', '--json', '--config', config, '--data-dir', dataDir], { env });
    expect(json).toMatchObject({ code: 0, stderr: '' });
    expect(json.stdout).not.toContain('swordfish');
    expect(JSON.parse(json.stdout)).toMatchObject({
      MAX_TRIES: { value: 2, from: 'file' },
      SWEEP_INTERVAL_MS: { value: 5000, from: 'environment' },
      BACKOFF_BASE_MS: { value: 5000, from: 'default' },
    });
    const text = await runCli(['config', '--config', config, '--data-dir', dataDir], { env });
    expect(text.stdout).toMatch(/^MAX_TRIES +2 +\(.*other\.yaml:1\)$/m);
    expect(text.stdout).not.toContain('swordfish');
    expect(existsSync(dataDir)).toBe(false);
  });
});
