import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { addressOf } from '../../dist/src/protocol/address.js';
import { createLog } from '../../dist/src/observe/logs.js';
import { ProcessRuntime } from '../../dist/src/runtime/process/process-runtime.js';
import { containerName } from '../../dist/src/rounds/container-spec.js';
import { median, ms, ratio, row, title } from './report.mjs';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const WAKES = 5;
/** Enough for what the last start left to do: a new shim, a runner's own start. */
const REST_MS = 2_000;
const AHEAD_MS = 1_500;

/** A message into the real daemon until its container runs, beside a bare start of the same kind in the same run. */
export async function benchWakes(kind) {
  const daemon = await Daemon.start(kind);
  const floor = kind === 'docker' ? await dockerFloor(daemon) : await processFloor();
  try {
    await wake(daemon, 'bench/warm-up');
    await floor.start();
    const first = [];
    const next = [];
    const bare = [];
    for (let index = 0; index < WAKES; index += 1) {
      const session = `bench/s${String(index)}`;
      await rest();
      first.push(await wake(daemon, session));
      await rest();
      bare.push(await floor.start());
      await daemon.end(session);
      await rest();
      next.push(await wake(daemon, session));
      await daemon.end(session);
    }
    title(`message accepted -> container running, ${kind} runtime, medians of ${String(WAKES)}`);
    row(floor.name, ms(median(bare)));
    row('first message of a session', `${ms(median(first))}, ${ratio(median(first), median(bare))}`, '1.1 x');
    row('next message of a session', `${ms(median(next))}, ${ratio(median(next), median(bare))}`, '1.1 x');
    row(
      'floor, first, next by themselves',
      [bare, first, next].map((all) => all.map(Math.round).join(' ')).join(' | '),
    );

    const late = [];
    for (let index = 0; index < WAKES; index += 1) {
      await rest();
      const dueMs = Date.now() + AHEAD_MS;
      const session = `bench/later${String(index)}`;
      const started = daemon.logged(session, 'container started');
      await daemon.send(session, { after: new Date(dueMs).toISOString() });
      await started;
      late.push(daemon.begunAtMs(session) - dueMs);
      await daemon.end(session);
    }
    title(`due time -> start begun, ${kind} runtime, median of ${String(WAKES)}`);
    row('late by', ms(median(late)), '100 ms');
  } finally {
    await floor.close();
    await daemon.close();
  }
}

/** From the answer to the request until the daemon has the runtime's confirmation. */
async function wake(daemon, session) {
  const started = daemon.logged(session, 'container started');
  const acceptedMs = await daemon.send(session, {});
  return (await started) - acceptedMs;
}

class Daemon {
  dataDir = mkdtempSync(join(tmpdir(), 'np-bench-'));
  #child;
  #waiting = new Set();
  #log = '';

  static async start(kind) {
    const daemon = new Daemon();
    const settings = {
      NIGHTPORTER_LOG_LEVEL: 'info',
      ...(kind === 'docker'
        ? { NIGHTPORTER_RUNNER_BASE_IMAGE: 'nightporter-base:local', NIGHTPORTER_NETWORK: 'none' }
        : {}),
    };
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('NIGHTPORTER_'));
    daemon.#child = spawn(
      process.execPath,
      [`${DIST}src/main.js`, 'start', '--data-dir', daemon.dataDir, '--runtime', kind],
      { env: { ...Object.fromEntries(inherited), ...settings }, stdio: ['ignore', 'inherit', 'pipe'] },
    );
    const ready = daemon.logged(undefined, 'ready');
    daemon.#child.stderr.setEncoding('utf8').on('data', (text) => daemon.#read(text));
    await ready;
    return daemon;
  }

  /** Resolves with the time, epoch milliseconds, of the next such line. */
  logged(session, message) {
    return new Promise((resolve, reject) => {
      const waiting = { session, message, resolve };
      this.#waiting.add(waiting);
      setTimeout(() => {
        if (this.#waiting.delete(waiting)) reject(new Error(`no "${message}" of ${String(session)} in a minute`));
      }, 60_000).unref();
    });
  }

  /** Resolves with the time of the answer. */
  send(session, options) {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: join(this.dataDir, 'nightporter.sock'),
          path: '/v1/messages',
          method: 'POST',
          headers: { 'content-type': 'application/json' },
        },
        (response) => {
          const atMs = Date.now();
          response.resume();
          if (response.statusCode === 200) resolve(atMs);
          else reject(new Error(`send was answered with ${String(response.statusCode)}`));
        },
      );
      call.on('error', reject);
      call.end(JSON.stringify({ session, text: 'hello', id: randomUUID(), ...options }));
    });
  }

  /** When its last incarnation was numbered: decided, files ready, the runtime not yet asked. */
  begunAtMs(session) {
    const registry = new Database(join(this.dataDir, 'registry.db'), { readonly: true });
    try {
      const newest = 'SELECT max(begun_at) FROM incarnations WHERE session = ?';
      return registry.prepare(newest).pluck().get(session);
    } finally {
      registry.close();
    }
  }

  /** Ends the session's container and waits until that is known. */
  async end(session) {
    const ended = this.logged(session, 'container ended');
    await this.#change(session, 'suspend');
    await ended;
    await this.#change(session, 'resume');
  }

  async close() {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    for (const line of new Set(this.#started)) await this.#change(line, 'suspend').catch(() => undefined);
    await rest();
    this.#child.kill('SIGTERM');
    await gone;
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  #started = [];

  #change(session, change) {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: join(this.dataDir, 'nightporter.sock'),
          path: `/v1/sessions/${session}/change`,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
        },
        (response) => {
          response.resume();
          if (response.statusCode === 200) resolve();
          else reject(new Error(`${change} ${session} was answered with ${String(response.statusCode)}`));
        },
      );
      call.on('error', reject);
      call.end(JSON.stringify({ change }));
    });
  }

  #read(text) {
    const lines = (this.#log + text).split('\n');
    this.#log = lines.pop() ?? '';
    for (const line of lines) {
      const entry = parse(line);
      if (entry === undefined) continue;
      if (entry.msg === 'container started') this.#started.push(entry.session);
      for (const waiting of this.#waiting) {
        if (entry.msg !== waiting.message || (waiting.session !== undefined && entry.session !== waiting.session))
          continue;
        this.#waiting.delete(waiting);
        waiting.resolve(Date.parse(entry.time));
      }
    }
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** ProcessRuntime.start by itself: shim and runner, no rounds, no registry, no session files. */
async function processFloor() {
  const dataDir = mkdtempSync(join(tmpdir(), 'np-bench-floor-'));
  const install = '00000000000000000000000000000000';
  const runtime = new ProcessRuntime({
    dataDir,
    install,
    shimEntry: `${DIST}src/runtime/process/shim.js`,
    runnerEntry: `${DIST}container/agent-runner/src/main.js`,
    nodePath: process.execPath,
    deadlineMs: 30_000,
    log: createLog('error'),
  });
  await runtime.prepare();
  let count = 0;
  return {
    name: "the runtime's start alone (shim waiting)",
    async start() {
      count += 1;
      const session = addressOf('floor', `s${String(count)}`);
      const folder = join(dataDir, 'sessions', session);
      const [inDir, outDir, hostDir] = ['in', 'out', 'host'].map((name) => join(folder, name));
      for (const dir of [inDir, outDir, hostDir]) mkdirSync(dir, { recursive: true });
      const began = performance.now();
      const result = await runtime.start({
        name: containerName(install, session),
        install,
        session,
        epoch: 1,
        specHash: 'bench',
        image: undefined,
        command: undefined,
        environment: {},
        inDir,
        outDir,
        hostDir,
        limits: { memoryBytes: 0, cpus: 1, pids: 100 },
        network: 'none',
      });
      const tookMs = performance.now() - began;
      if (result.kind !== 'started') throw new Error(`the bare start was ${result.kind}`);
      await runtime.remove(result.container.id);
      return tookMs;
    },
    async close() {
      await runtime.close();
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

/** The engine's own create and start of a container like the one that the daemon made last. */
async function dockerFloor(daemon) {
  const { default: Docker } = await import('dockerode');
  const docker = new Docker();
  return {
    name: "the engine's create + start, same settings",
    async start() {
      const [listed] = await docker
        .listContainers({ all: true, filters: { name: ['^/np-'] } })
        .then((all) => all.filter(({ Mounts }) => Mounts.some(({ Source }) => Source.startsWith(daemon.dataDir))));
      if (listed === undefined) throw new Error('the daemon has no container to copy');
      const { Config, HostConfig } = await docker.getContainer(listed.Id).inspect();
      const began = performance.now();
      const container = await docker.createContainer({
        ...Config,
        Hostname: '',
        Labels: {},
        HostConfig,
        name: `np-bench-${randomUUID()}`,
      });
      await container.start();
      const tookMs = performance.now() - began;
      await container.remove({ force: true });
      return tookMs;
    },
    close: () => Promise.resolve(),
  };
}

function rest() {
  return new Promise((resolve) => setTimeout(resolve, REST_MS));
}
