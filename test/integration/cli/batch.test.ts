import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCli, startCli } from '../../support/cli.js';
import { makeDataDir } from '../../support/desk-fixture.js';

let dataDir: string;

beforeEach(() => {
  dataDir = makeDataDir('batch');
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

function batchFile(text: string): string {
  const path = join(dataDir, 'batch.ndjson');
  writeFileSync(path, text);
  return path;
}

it('refuses a batch of 1 GB at once, and makes nothing', async () => {
  const path = join(dataDir, 'huge.ndjson');
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, 1024 ** 3);
  closeSync(descriptor);
  const data = join(dataDir, 'data');
  const { code, stderr } = await runCli(['send', '--batch', path, '--data-dir', data]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/nothing was accepted: the batch is 1073741824 bytes, the most is 67108864 bytes/);
  expect(execFileSync('ls', [dataDir], { encoding: 'utf8' })).toBe('huge.ndjson\n');
});

it('reads no further in a batch without an end than it would accept', async () => {
  const sending = startCli(['send', 'demo/first', '--batch', '-', '--data-dir', dataDir], {
    input: Buffer.alloc(80 * 1024 * 1024, ' '),
  });
  const { code, stderr } = await sending.result;
  expect(code).toBe(2);
  expect(stderr).toMatch(/nothing was accepted: the batch is over 67108864 bytes.*send it in parts/);
});

it('says how far it is where it is asked to, and only there', async () => {
  const path = batchFile('{"text":"one"}\n{"text":"two"}\n');
  const asked = await runCli(['send', 'demo/first', '--batch', path, '--progress', '--data-dir', dataDir]);
  expect(asked.stdout).toBe('2 accepted\n');
  expect(asked.stderr).toBe('2 lines read (0.0 MiB)\n2 lines read (0.0 MiB), 2 accepted\n');
  expect(await runCli(['send', 'demo/first', '--batch', path, '--data-dir', dataDir])).toMatchObject({
    code: 0,
    stderr: '',
  });
  writeFileSync(path, '{"text":"one"}\n?\n');
  const refused = await runCli(['send', 'demo/first', '--batch', path, '--progress', '--data-dir', dataDir]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(
    /2 lines read \(0\.0 MiB\), nothing accepted\n.*1 line is refused\n {2}line 2: not JSON/,
  );
});
