import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const scripts = fileURLToPath(new URL('../../../scripts', import.meta.url));
const TOOLS = [
  'bash',
  'dirname',
  'find',
  'head',
  'id',
  'mkdir',
  'mktemp',
  'mv',
  'rm',
  'sed',
  'touch',
  'uname',
  'env',
  'cat',
];

let root: string;
let bin: string;

/** A program of this machine's stead; what it is called with ends in calls.log. */
function fake(name: string, body: string): void {
  const script = `#!/bin/bash\nprintf '%s %s\\n' '${name}' "$*" >> '${root}/calls.log'\n${body}\n`;
  writeFileSync(join(bin, name), script);
  chmodSync(join(bin, name), 0o755);
}

function run(script: string, ...options: readonly string[]) {
  const { status, stderr, stdout, pid } = spawnSync(join(root, 'scripts', script), options, {
    cwd: tmpdir(),
    env: { PATH: bin },
    encoding: 'utf8',
    timeout: 20_000,
  });
  const log = join(root, 'calls.log');
  return { status, stderr, stdout, pid, calls: existsSync(log) ? readFileSync(log, 'utf8') : '' };
}

function ageOf(path: string, seconds: number): void {
  const at = Date.now() / 1000 - seconds;
  utimesSync(join(root, path), at, at);
}

/** A project that is installed and built. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nightporter-scripts-'));
  bin = join(root, 'bin');
  for (const folder of ['bin', 'src', 'container/agent-runner', 'dist/src', 'node_modules']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  cpSync(scripts, join(root, 'scripts'), { recursive: true });
  for (const tool of TOOLS) {
    const place = ['/usr/bin', '/bin'].map((folder) => join(folder, tool)).find((path) => existsSync(path));
    if (place === undefined) throw new Error(`${tool} is missing`);
    symlinkSync(place, join(bin, tool));
  }
  const old = [
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'src/main.ts',
    'container/agent-runner/a.ts',
  ];
  for (const file of old) {
    writeFileSync(join(root, file), '');
    ageOf(file, 100);
  }
  for (const folder of ['src', 'container/agent-runner']) ageOf(folder, 100);
  writeFileSync(join(root, 'node_modules/.package-lock.json'), '');
  writeFileSync(join(root, 'dist/.built'), '');
  fake('node', 'case "$1" in --version) echo v20.20.0;; -e) ;; *) echo "pid $$";; esac');
  fake('npm', 'exit 0');
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('scripts/start', () => {
  it('becomes the daemon, with ./data and the options that it was given, so that signals reach it', () => {
    const { status, stdout, pid, calls } = run('start', '--runtime', 'process');
    expect(status).toBe(0);
    expect(calls).toContain('node dist/src/main.js start --data-dir ./data --runtime process\n');
    expect(stdout).toBe(`pid ${pid}\n`);
    expect(calls).not.toContain('npm');
  });

  it('installs where packages are missing or older than the lock file', () => {
    ageOf('node_modules/.package-lock.json', 1000);
    expect(run('start').calls).toContain('npm ci');
    rmSync(join(root, 'node_modules'), { recursive: true });
    mkdirSync(join(root, 'node_modules'));
    expect(run('start').calls.match(/npm ci/g)).toHaveLength(2);
    expect(run('start').calls.match(/npm ci/g)).toHaveLength(2);
  });

  it('builds where a source is newer than the build, and only then', () => {
    ageOf('dist/.built', 50);
    expect(run('start').calls).not.toContain('run --silent build');
    ageOf('src/main.ts', 10);
    expect(run('start').calls.match(/npm run --silent build/g)).toHaveLength(1);
    expect(run('start').calls.match(/npm run --silent build/g)).toHaveLength(1);
  });

  it('does not start what could not be built', () => {
    fake('npm', 'exit 1');
    rmSync(join(root, 'dist/.built'));
    const { status, stderr, calls } = run('start');
    expect(status).toBe(1);
    expect(stderr).toContain('the build failed');
    expect(calls).not.toContain('main.js');
  });

  it('says that Node is missing, and where to get it', () => {
    rmSync(join(bin, 'node'));
    const { status, stderr } = run('start');
    expect(status).toBe(1);
    expect(stderr).toContain('Nightporter needs Node 20.19 or newer; found: none.');
    expect(stderr).toContain('https://nodejs.org');
  });

  it.each(['18.20.4', '20.18.3'])('says that Node %s is too old', (version) => {
    symlinkSync(process.execPath, join(bin, 'real-node'));
    const versions = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } });`;
    fake('node', `case "$1" in --version) echo v${version};; -e) exec real-node -e "${versions} $2";; esac`);
    const { status, stderr, calls } = run('start');
    expect(status).toBe(1);
    expect(stderr).toContain(`Nightporter needs Node 20.19 or newer; found: v${version}`);
    expect(calls).not.toContain('main.js');
  });

  it('says which build tools are missing, and how to get them', () => {
    rmSync(join(root, 'node_modules'), { recursive: true });
    fake('npm', 'case "$1" in ci) mkdir node_modules;; *) exit 1;; esac');
    fake('apt-get', 'exit 0');
    const { status, stderr, calls } = run('start');
    expect(status).toBe(1);
    expect(stderr).toContain('Missing here: python3, make, a C++ compiler. Get it with: ');
    if (process.platform === 'linux') expect(stderr).toContain('apt-get install python3 make g++');
    expect(calls).not.toContain('apt-get');
  });
});

describe('the end of scripts/test', () => {
  function summarize(report: unknown, ...options: readonly string[]) {
    writeFileSync(join(root, 'report.json'), JSON.stringify(report));
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(root, 'scripts/summarize-tests.mjs'), join(root, 'report.json'), ...options],
      { encoding: 'utf8' },
    );
    return { status, lines: stdout.trimEnd().split('\n') };
  }
  const passed = { status: 'passed', fullName: 'one' };
  const skipped = { status: 'skipped', fullName: 'needs an engine' };

  it('is a line that counts, and names what was skipped', () => {
    const file = { name: 'a.test.ts', status: 'passed', assertionResults: [passed, skipped] };
    const { status, lines } = summarize({ testResults: [file] }, '0');
    expect(status).toBe(0);
    expect(lines).toContain('  needs an engine');
    expect(lines.at(-1)).toBe('1 passed, 0 failed, 1 skipped');
  });

  it('counts a file that could not be loaded, a failed check and a vitest that failed by itself', () => {
    const broken = { name: 'b.test.ts', status: 'failed', assertionResults: [] };
    const good = { name: 'a.test.ts', status: 'passed', assertionResults: [passed] };
    expect(summarize({ testResults: [broken] }, '1', 'lint').lines.at(-1)).toBe('0 passed, 2 failed, 0 skipped');
    const byItself = summarize({ testResults: [good] }, '1');
    expect(byItself.lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
    expect(byItself.status).toBe(1);
  });
});
