import { randomBytes } from 'node:crypto';
import { lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProbeReport, RunnerCondition, RuntimeCondition, RuntimeExaminer } from '../../ports/examination.js';
import type { ContainerSpec, InstallId } from '../../ports/runtime.js';
import { NightporterError, RuntimeUnavailable } from '../../protocol/errors.js';
import { PROBE_LABEL } from '../spec-labels.js';
import type { DataPathMapping, EngineFacts, Identity } from './create-options.js';
import { containerUser, createOptions, factsFrom } from './create-options.js';
import type { EngineAddress } from './engine-address.js';
import { EngineAnswer, messageOf } from './engine-errors.js';
import { Engine } from './engine.js';
import { DEFAULT_BASE_IMAGE, chooseBaseImage, runnerImageTag } from './image.js';
import { tailText } from './log-tail.js';
import { PROBE_FILE, PROBE_LINE, probeCommand } from './probe-script.js';

export interface DockerExaminerOptions {
  readonly address: EngineAddress;
  readonly install: InstallId;
  /** The package's folder. */
  readonly root: string;
  readonly baseImage?: string | undefined;
  readonly dataPathMapping?: DataPathMapping | undefined;
  /** For every call of the engine. */
  readonly deadlineMs: number;
  /** For the life of a probe. */
  readonly probeMs: number;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

const POLL_MS = 50;
const OUTPUT_READ_BYTES = 16 * 1024;
const OUTPUT_KEPT_CHARS = 4096;
/** Of an interrupted doctor; a younger one may be at work beside us. */
const LEFTOVER_AFTER_MS = 10 * 60_000;
const RUNNER = ['node', '/app/dist/container/agent-runner/src/main.js'];

/** Looks at an engine, and runs a probe in a container of its own label, which no runtime lists. */
export class DockerExaminer implements RuntimeExaminer {
  readonly #options: DockerExaminerOptions;
  readonly #engine: Engine;
  readonly #daemon: Identity | undefined;

  constructor(options: DockerExaminerOptions) {
    this.#options = options;
    this.#engine = new Engine(options.address, options.env ?? process.env, options.deadlineMs);
    const [uid, gid] = [process.getuid?.(), process.getgid?.()];
    this.#daemon = uid === undefined || gid === undefined ? undefined : { uid, gid };
  }

  async describe(): Promise<RuntimeCondition> {
    const version = await this.#engine.version();
    const api = await this.#engine.apiVersion();
    const { rootless, remapsUsers } = await this.#facts();
    const notes = [...(rootless ? ['rootless'] : []), ...(remapsUsers ? ['maps the users of containers'] : [])];
    const description = [`${version} (API ${api}) at ${this.#engine.url}`, ...notes].join(', ');
    return { description, runner: await this.#runner() };
  }

  async probe(spec: ContainerSpec): Promise<ProbeReport> {
    const [facts, runner] = await Promise.all([this.#facts(), this.#runner()]);
    if (spec.image === undefined && runner.kind !== 'ready' && runner.kind !== 'made_at_start') {
      throw new NightporterError('refused', `there is neither the runner image nor a base image to try`);
    }
    const own = spec.command ?? (runner.kind === 'ready' && spec.image === undefined ? RUNNER : []);
    const image = spec.image ?? (runner.kind === 'made_at_start' ? runner.base : runner.what);
    const token = randomBytes(16).toString('hex');
    writeFileSync(join(spec.inDir, PROBE_FILE), token, { mode: 0o644 });
    const user = containerUser(facts, this.#daemon);
    const command = await probeCommand(this.#options.root, { token, user, program: own });
    const { dataPathMapping, install } = this.#options;
    const options = createOptions({ ...spec, command }, { image, facts, daemon: this.#daemon, dataPathMapping });
    const id = await this.#create({
      ...options,
      name: `np-probe-${install.slice(0, 8)}-${randomBytes(4).toString('hex')}`,
      Labels: { [PROBE_LABEL]: install },
    });
    try {
      const exitCode = await this.#untilEnd(id);
      const text = tailText((await this.#engine.logs(id, OUTPUT_READ_BYTES)) ?? Buffer.alloc(0), OUTPUT_READ_BYTES);
      return { ...reportOf(text, spec), exitCode, ranRunner: own.length > 0 };
    } finally {
      await this.#engine.remove(id);
    }
  }

  async removeLeftovers(): Promise<number> {
    const found = await this.#engine.list([`${PROBE_LABEL}=${this.#options.install}`]);
    const left = found.filter((one) => Date.now() - one.Created * 1000 > LEFTOVER_AFTER_MS);
    for (const one of left) await this.#engine.remove(one.Id);
    return left.length;
  }

  close(): void {
    this.#engine.close();
  }

  async #create(options: Parameters<Engine['create']>[0]): Promise<string> {
    let id: string | undefined;
    try {
      id = await this.#engine.create(options);
      await this.#engine.start(id);
      return id;
    } catch (error) {
      if (id !== undefined) await this.#engine.remove(id).catch(() => undefined);
      if (error instanceof EngineAnswer) throw new NightporterError('refused', messageOf(error), { cause: error });
      throw error;
    }
  }

  /** null: it was killed. */
  async #untilEnd(id: string): Promise<number | null> {
    const endMs = performance.now() + this.#options.probeMs;
    for (;;) {
      const info = await this.#engine.inspect(id);
      if (info === undefined) throw new RuntimeUnavailable('the probe was removed by somebody else');
      if (!info.State.Running) return info.State.ExitCode;
      if (performance.now() >= endMs) {
        await this.#engine.kill(id);
        return null;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #runner(): Promise<RunnerCondition> {
    const { root, baseImage } = this.#options;
    let what: string;
    try {
      what = await runnerImageTag(root);
    } catch (error) {
      if (!(error instanceof NightporterError)) throw error;
      return { kind: 'missing', what: error.message };
    }
    if (await this.#engine.hasImage(what)) return { kind: 'ready', what };
    const base = await chooseBaseImage(this.#engine, baseImage ?? DEFAULT_BASE_IMAGE);
    return { kind: (await this.#engine.hasImage(base)) ? 'made_at_start' : 'base_missing', what, base };
  }

  async #facts(): Promise<EngineFacts> {
    return factsFrom(await this.#engine.info());
  }
}

function reportOf(text: string, spec: ContainerSpec): Pick<ProbeReport, 'tried' | 'output'> {
  const lines = text.split('\n');
  const line = lines.find((one) => one.startsWith(PROBE_LINE));
  const output = lines
    .filter((one) => one !== line)
    .join('\n')
    .trim()
    .slice(-OUTPUT_KEPT_CHARS);
  if (line === undefined) return { tried: [], output };
  const tried = JSON.parse(line.slice(PROBE_LINE.length)) as ProbeReport['tried'];
  const seen = lstatSync(join(spec.outDir, PROBE_FILE), { throwIfNoEntry: false }) !== undefined;
  const arrival = {
    what: 'writes to the folder of its session',
    held: seen,
    detail: seen ? '' : 'nothing arrived there',
  };
  return { tried: [...tried, arrival], output };
}
