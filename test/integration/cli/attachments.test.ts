import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpServer } from '../../../src/http/server.js';
import { serveHttp } from '../../../src/http/server.js';
import { sessionPaths } from '../../../src/store/session-files/session-paths.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { runCli } from '../../support/cli.js';
import { makeDataDir, openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { runSql } from '../../support/session-files-fixture.js';

let fixture: DeskFixture;
let server: HttpServer;
let mine: string;

beforeEach(async () => {
  fixture = openDeskFixture({ attachmentMaxBytes: 4 * 1024 * 1024 });
  server = await serveHttp({ desk: fixture.desk });
  mine = makeDataDir('mine');
});
afterEach(async () => {
  await server.close();
  await fixture.close();
  rmSync(mine, { recursive: true, force: true });
});

const cli = (...args: readonly string[]) => runCli([...args, '--data-dir', fixture.dataDir]);
const paths = () => sessionPaths(fixture.dataDir, 'demo/first' as SessionAddress);

function file(name: string, content: string | Buffer = 'x'): string {
  writeFileSync(join(mine, name), content);
  return join(mine, name);
}

describe('send --attach', () => {
  it('sends files with a text or without one, through the daemon', async () => {
    const large = Buffer.alloc(3_000_000, 'abcdefg');
    const args = ['--attach', file('a b.txt', 'one'), '--attach', file('large.bin', large)];
    expect(await cli('send', 'demo/first', 'look', '--id', 'm', ...args)).toMatchObject({ code: 0, stderr: '' });
    expect(await cli('send', 'demo/first', '--id', 'n', '--attach', file('empty', ''))).toMatchObject({ code: 0 });
    expect((await cli('send', 'demo/first', 'look', '--id', 'm', ...args)).stdout).toMatch(/accepted before/);
    await fixture.look('demo/first');
    expect(readFileSync(join(paths().inbox, 'm', 'a b.txt'), 'utf8')).toBe('one');
    expect(readFileSync(join(paths().inbox, 'm', 'large.bin')).equals(large)).toBe(true);
    expect(readFileSync(join(paths().inbox, 'n', 'empty'), 'utf8')).toBe('');
    expect(readdirSync(join(fixture.dataDir, 'staging'))).toEqual([]);
  });

  it('sends them without a daemon too', async () => {
    const dir = makeDataDir('alone');
    const sent = await runCli(['send', 'demo/first', '--attach', file('a.txt', 'one'), '--data-dir', dir]);
    expect(sent).toMatchObject({ code: 0 });
    expect(readdirSync(join(dir, 'staging'))).toHaveLength(1);
    rmSync(dir, { recursive: true, force: true });
  });

  it.each<[string, () => string, RegExp]>([
    ['a fifo', () => fifo('pipe'), /--attach cannot send .*pipe: it is a fifo, not a regular file/],
    ['a link', () => link('link'), /--attach cannot send .*link: it is a link: name the file that it leads to/],
    ['a folder', () => mine, /--attach cannot send .*: it is a folder/],
    ['a device', () => '/dev/zero', /--attach cannot send \/dev\/zero: it is a device/],
    ['the parent folder', () => '..', /"\.\." is no name for an attachment \(it begins with a dot\): rename the file/],
    ['a name with ".."', () => file('a..b'), /"a\.\.b" is no name for an attachment \(it has "\.\."\)/],
    ['a name of 300 bytes', () => join(mine, 'x'.repeat(300)), /\(it has 300 bytes, the most is 255\)/],
    ['a name with a control character', () => file('a\tb'), /characters that cannot be shown/],
    ['what is not there', () => join(mine, 'none'), /--attach cannot send .*none: ENOENT/],
    [
      'a file that is too large',
      () => file('large', Buffer.alloc(9_000_000)),
      /"large" is 9000000 bytes, the most is 4194304/,
    ],
  ])('refuses %s by its name and why, exit 2, and accepts nothing', async (_what, path, why) => {
    const { code, stderr } = await cli('send', 'demo/first', 'text', '--attach', path());
    expect(stderr).toMatch(why);
    expect(code).toBe(2);
    expect([...fixture.registry.eachSession()]).toEqual([]);
    expect(existsSync(join(fixture.dataDir, 'staging')) && readdirSync(join(fixture.dataDir, 'staging'))).toEqual(
      existsSync(join(fixture.dataDir, 'staging')) ? [] : false,
    );
  });

  it('takes no part in a batch', async () => {
    const refused = await cli('send', '--batch', file('b', ''), '--attach', file('a'));
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/a batch takes no attachments/) as string });
  });

  function fifo(name: string): string {
    execFileSync('mkfifo', [join(mine, name)]);
    return join(mine, name);
  }

  function link(name: string): string {
    symlinkSync(file('target'), join(mine, name));
    return join(mine, name);
  }
});

describe('replies --save', () => {
  const hostileId = '../../escape';

  beforeEach(async () => {
    await cli('send', 'demo/first', 'hello');
    await fixture.look('demo/first');
    const rows = ['r1', hostileId].map((id) => `('${id}', '2030-01-01T00:00:00.000Z', 'chat', '{"text":"hi"}')`);
    runSql(paths().outbound, `INSERT INTO messages_out (id, timestamp, kind, content) VALUES ${rows.join(', ')}`);
    mkdirSync(join(paths().outbox, 'r1'));
    writeFileSync(join(paths().outbox, 'r1', 'a.txt'), 'one');
    writeFileSync(join(paths().outbox, 'r1', 'large.bin'), Buffer.alloc(3_000_000, 'x'));
    symlinkSync('/etc/passwd', join(paths().outbox, 'r1', 'passwd'));
  });

  const refused = [{ name: 'passwd', why: 'is a link, not a regular file' }];

  it('writes the files of answers, private, leaves what is there already, and reports what is left out', async () => {
    const folder = join(mine, 'deep', 'answers');
    for (let time = 1; time <= 2; time += 1) {
      const { code, stdout, stderr } = await cli('replies', 'demo/first', '--save', folder, '--json');
      expect(stderr).toBe('nightporter: attachment "passwd" of answer r1 left out: is a link, not a regular file\n');
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject([
        {
          id: 'r1',
          refused,
          attachments: [
            { name: 'a.txt', bytes: 3, path: join(folder, 'r1', 'a.txt') },
            { name: 'large.bin', bytes: 3_000_000 },
          ],
        },
        { id: hostileId },
      ]);
      expect(readdirSync(join(folder, 'r1')).toSorted()).toEqual(['a.txt', 'large.bin']);
    }
    expect(statSync(join(folder, 'r1', 'a.txt')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'r1', 'large.bin')).equals(Buffer.alloc(3_000_000, 'x'))).toBe(true);
    expect(readdirSync(mine)).toEqual(['deep']);
  });

  it('writes over nothing and through no link: names the file, saves the others, exit 1', async () => {
    mkdirSync(join(mine, 'r1'));
    writeFileSync(join(mine, 'r1', 'a.txt'), 'mine');
    const other = file('other');
    symlinkSync(other, join(mine, 'r1', 'large.bin'));
    const { code, stderr } = await cli('replies', 'demo/first', '--save', mine);
    expect(code).toBe(1);
    expect(stderr).toMatch(/"a\.txt" of answer r1 not saved: .*\/r1\/a\.txt exists with other content/);
    expect(stderr).toMatch(/"large\.bin" of answer r1 not saved: .*\/r1\/large\.bin exists with other content/);
    expect(readFileSync(join(mine, 'r1', 'a.txt'), 'utf8')).toBe('mine');
    expect(readFileSync(other, 'utf8')).toBe('x');
    expect(readdirSync(join(mine, 'r1')).toSorted()).toEqual(['a.txt', 'large.bin']);
  });

  it('without it, answers name what came with them', async () => {
    const { stdout } = await cli('replies', 'demo/first');
    expect(stdout).toMatch(
      / hi\n {4}\[a\.txt, 3 bytes\]\n {4}\[large\.bin, 3000000 bytes\]\n {4}\[left out: passwd is a link/,
    );
  });
});
