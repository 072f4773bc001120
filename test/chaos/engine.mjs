import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { mountsBelow } from './ground.mjs';
import { identify, pids, readList, signal } from './processes.mjs';
import { pause, until } from './waiting.mjs';

const SCRIPT = fileURLToPath(new URL('../../scripts/engine', import.meta.url));
const UP_WITHIN_MS = 60_000;
const DOWN_WITHIN_MS = 30_000;

/** Why no engine of one's own can be had here; undefined: it can. */
export function whyNoEngine() {
  try {
    execFileSync('dockerd', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no dockerd: "scripts/engine up" installs one';
  }
}

/**
 * A dockerd that may be killed: data root, socket, containerd and network namespace are its own. Beside another engine's
 * in the same namespace even one without a bridge would take docker0 away.
 */
export class Engine {
  socket;
  restarts = 0;
  #folder;
  #log;
  #child;

  constructor(folder) {
    this.#folder = join(folder, 'engine');
    this.socket = join(this.#folder, 'docker.sock');
    mkdirSync(this.#folder, { mode: 0o711 });
    this.#log = openSync(join(this.#folder, 'dockerd.log'), 'a');
  }

  /** `keep`: containers that outlived the last engine run on, else it ends them. */
  async start(keep = false) {
    for (const file of ['dockerd.pid', 'run/containerd/containerd.pid'])
      rmSync(join(this.#folder, file), { force: true });
    const places = { 'data-root': 'data', 'exec-root': 'run', pidfile: 'dockerd.pid' };
    const options = Object.entries(places).map(([name, place]) => `--${name}=${join(this.#folder, place)}`);
    const plain = ['--iptables=false', '--ip6tables=false', '--bridge=none', `--live-restore=${String(keep)}`];
    this.#child = spawn('unshare', ['--net', 'dockerd', ...options, `--host=unix://${this.socket}`, ...plain], {
      stdio: ['ignore', this.#log, this.#log],
    });
    const { exitCode, gone } = watchEnd(this.#child);
    await until('the engine answers', UP_WITHIN_MS, async () => {
      if (gone()) throw new Error(`dockerd ended with ${String(exitCode())}: see ${this.#folder}/dockerd.log`);
      return this.#answers();
    });
  }

  /** Makes the base image of the tests. */
  makeBaseImage() {
    execFileSync(SCRIPT, ['up'], {
      env: { ...process.env, DOCKER_HOST: `unix://${this.socket}` },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  async kill() {
    const ended = endOf(this.#child);
    this.#child.kill('SIGKILL');
    await ended;
    // Its containerd dies with it, and would hold the next one's files.
    await until(
      'the containerd of a killed engine is gone',
      DOWN_WITHIN_MS,
      () => this.#own('containerd').length === 0,
    );
  }

  /** Ends it and whatever it left. */
  async close() {
    if (this.#child !== undefined) {
      const ended = endOf(this.#child);
      this.#child.kill('SIGTERM');
      await Promise.race([ended, pause(DOWN_WITHIN_MS)]);
      this.#child.kill('SIGKILL');
    }
    for (const one of this.#own('')) signal(one, 'SIGKILL');
    await until('nothing of the engine runs', DOWN_WITHIN_MS, () => this.#own('').length === 0);
    for (const mounted of mountsBelow(this.#folder)) execFileSync('umount', ['-l', mounted], { stdio: 'ignore' });
  }

  /** Its processes: every one of them names its folder. */
  #own(name) {
    return pids()
      .filter((pid) => {
        const [program = '', ...words] = readList(pid, 'cmdline');
        const isEngines = /(^|\/)(dockerd|containerd|containerd-shim[^/]*|runc)$/.test(program);
        return isEngines && program.endsWith(name) && words.some((word) => word.includes(`${this.#folder}/`));
      })
      .map(identify)
      .filter((one) => one !== undefined);
  }

  async #answers() {
    try {
      await new Docker({ socketPath: this.socket, timeout: 2_000 }).ping();
      return true;
    } catch {
      return false;
    }
  }
}

function watchEnd(child) {
  let isGone = false;
  child.once('exit', () => (isGone = true));
  return { gone: () => isGone, exitCode: () => child.exitCode };
}

function endOf(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', resolve));
}
