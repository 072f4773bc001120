import type { Logger } from '../../observe/logs.js';
import type {
  Container,
  ContainerEnd,
  ContainerId,
  ContainerSpec,
  InstallId,
  Runtime,
  RuntimeEvent,
  RuntimeInfo,
  StartResult,
  StopResult,
} from '../../ports/runtime.js';
import { NightporterError, RuntimeUnavailable } from '../../protocol/errors.js';
import { LABELS } from '../spec-labels.js';
import { engineTime, fromInspected, fromListed, harvestedName, isAlive, isHarvested, labelsOf } from './containers.js';
import type { DataPathMapping, EngineFacts, Identity } from './create-options.js';
import { CONTAINER_GID, CONTAINER_UID, containerUser, createOptions, factsFrom } from './create-options.js';
import type { EngineAddress } from './engine-address.js';
import { EngineAnswer, messageOf } from './engine-errors.js';
import type { ContainerInspectInfo } from './engine.js';
import { findMissingProgram } from './entry-point.js';
import { Engine, isEngineFailure } from './engine.js';
import { containerEvents } from './event-stream.js';
import { DEFAULT_BASE_IMAGE, buildRunnerImage, chooseBaseImage, runnerContext, runnerImageTag } from './image.js';
import { tailText } from './log-tail.js';
import { findMissingFolder } from './missing-folder.js';
import { isOneOf, readOwnContainerIds } from './own-container.js';
import { staleEndpointOf } from './stale-endpoint.js';

const OUTPUT_LIMIT_BYTES = 64 * 1024;
const UNKNOWN_END: ContainerEnd = { exitCode: null, signal: null, oomKilled: false, finishedAtMs: null, output: '' };
/** How long what was killed, or is being removed or started by another call, may take to show it. */
const SETTLING_MS = 5_000;
const POLL_MS = 50;
const PING_AFTER_MS = 15_000;

export interface DockerRuntimeOptions {
  readonly address: EngineAddress;
  readonly install: InstallId;
  /** The package's folder, with `dist/` and `container/Dockerfile`: what the runner image is made of. */
  readonly root: string;
  /** Default `node:20-bookworm-slim`. */
  readonly baseImage?: string | undefined;
  /** For a daemon in a container. */
  readonly dataPathMapping?: DataPathMapping | undefined;
  /** For every call of the engine, milliseconds; a stop takes its grace besides. */
  readonly deadlineMs: number;
  readonly log: Logger;
  /** How long events may be silent until the engine is asked whether it lives; default 15 s. */
  readonly pingAfterMs?: number | undefined;
  /** Ids, or beginnings of ids, of the container that the daemon runs in; default: found out from /proc and host name. */
  readonly ownContainerIds?: readonly string[] | undefined;
  /** Of the daemon: DOCKER_TLS_VERIFY, SSH_AUTH_SOCK. Nothing of it reaches a container. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Containers of a Docker or Podman engine. */
export class DockerRuntime implements Runtime {
  readonly kind = 'docker';
  readonly #options: DockerRuntimeOptions;
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #label: string;
  readonly #daemon: Identity | undefined;
  #facts: Promise<EngineFacts> | undefined;
  #runnerImage: Promise<string> | undefined;
  #ownIds: Promise<readonly string[]> | undefined;
  /** The engine's list does not tell starts; they never change, so each is asked once. */
  readonly #startedAtMs = new Map<string, number>();
  readonly #programsFound = new Set<string>();
  /** Ended containers on their way out, and those whose removal failed, for another try. */
  readonly #removals = new Map<string, Promise<void>>();
  readonly #leftovers = new Set<string>();

  constructor(options: DockerRuntimeOptions) {
    this.#options = options;
    this.#engine = new Engine(options.address, options.env ?? process.env, options.deadlineMs);
    this.#log = options.log;
    this.#label = `${LABELS.install}=${options.install}`;
    const uid = process.getuid?.();
    const gid = process.getgid?.();
    this.#daemon = uid === undefined || gid === undefined ? undefined : { uid, gid };
  }

  async start(spec: ContainerSpec): Promise<StartResult> {
    // A name may be freed between the engine's 409 and the look at who has it: then once more.
    const result = (await this.#create(spec)) ?? (await this.#create(spec));
    if (result !== undefined) return result;
    throw new RuntimeUnavailable(`start ${spec.name}: its name is taken and freed over and over, try again later`);
  }

  /** Undefined: its name was taken, and is free now. */
  async #create(spec: ContainerSpec): Promise<StartResult | undefined> {
    const image = spec.image ?? (await this.#requireRunnerImage());
    const { dataPathMapping } = this.#options;
    const facts = await this.#requireFacts();
    const missing = facts.podman ? await findMissingFolder(spec) : undefined;
    if (missing !== undefined) return { kind: 'refused', detail: `the folder ${missing} is not there` };
    const options = createOptions(spec, { image, facts, daemon: this.#daemon, dataPathMapping });
    try {
      return await this.#launch(spec, await this.#engine.create(options));
    } catch (error) {
      if (error instanceof EngineAnswer && error.status === 409) return this.#heldBy(spec);
      if (error instanceof EngineAnswer) return { kind: 'refused', detail: refusal(error, image) };
      // The engine may have made it although its answer was lost.
      const holder =
        error instanceof RuntimeUnavailable ? await this.inspect(spec.name).catch(() => undefined) : undefined;
      if (holder === undefined || holder.epoch !== spec.epoch) throw error;
      return this.#launch(spec, holder.id);
    }
  }

  async stop(id: ContainerId, graceMs: number): Promise<StopResult> {
    const found = await this.#requireOurs(id);
    if (found === undefined) return { kind: 'gone' };
    try {
      await this.#engine.stop(id, graceMs);
      if (await this.#isGone(id)) return { kind: 'gone' };
    } catch (error) {
      // A stop that hangs or fails is no reason not to kill; an engine that is down fails that as well.
      this.#log.warn({ containerId: id, err: error }, 'stop failed, killing');
    }
    await this.#engine.kill(id).catch((error: unknown) => {
      this.#log.warn({ containerId: id, err: error }, 'kill failed');
    });
    if (await this.#eventually(() => this.#isGone(id))) return { kind: 'gone' };
    return {
      kind: 'still_running',
      detail: `the engine at ${this.#engine.url} says that ${id} still runs after stop and kill`,
    };
  }

  async harvest(container: Container): Promise<ContainerEnd> {
    const found = await this.#requireOurs(container.id);
    if (found === undefined) return UNKNOWN_END;
    const { State: state } = found;
    if (isAlive(found)) {
      throw new NightporterError('refused', `container ${container.name} still runs: stop it before it is harvested`);
    }
    const end: ContainerEnd = {
      exitCode: engineTime(state.StartedAt) === null ? null : state.ExitCode,
      signal: null, // the engine tells 128 + signal, which a program may exit with as well
      oomKilled: state.OOMKilled,
      finishedAtMs: engineTime(state.FinishedAt),
      output: await this.logs(container.id, OUTPUT_LIMIT_BYTES),
    };
    await this.#freeName(fromInspected(found));
    return end;
  }

  async remove(id: ContainerId): Promise<void> {
    if ((await this.#requireOurs(id)) === undefined) return;
    await this.#engine.kill(id); // Podman's removal would wait for a grace first
    await this.#removeNow(id);
  }

  async list(): Promise<readonly Container[]> {
    const [infos, own] = await Promise.all([this.#engine.list([this.#label]), this.#requireOwnIds()]);
    for (const id of this.#leftovers) this.#removeLater(id);
    const ids = new Set(infos.map((info) => info.Id));
    for (const id of this.#startedAtMs.keys()) if (!ids.has(id)) this.#startedAtMs.delete(id);
    const listed = infos.map(fromListed).filter((one) => !isHarvested(one) && !isOneOf(one.id, own));
    const complete = await Promise.all(listed.map((one) => this.#withStart(one)));
    return complete.filter((one) => one !== undefined);
  }

  async inspect(name: string): Promise<Container | undefined> {
    const info = await this.#engine.inspect(name);
    // The engine takes ids and beginnings of ids as well; a name is meant.
    if (info === undefined || !this.#isOurs(info)) return undefined;
    const container = fromInspected(info);
    return container.name === name ? container : undefined;
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const { pingAfterMs = PING_AFTER_MS } = this.#options;
    return containerEvents({ engine: this.#engine, label: this.#label, sinceMs: Date.now(), pingAfterMs }, signal);
  }

  async logs(id: ContainerId, maxBytes: number): Promise<string> {
    try {
      // The engine counts lines, and each has a byte at least.
      const frames = await this.#engine.logs(id, maxBytes);
      return frames === undefined ? '' : tailText(frames, maxBytes);
    } catch (error) {
      if (!(error instanceof EngineAnswer) && !isEngineFailure(error)) throw error;
      // A damaged log file must not keep an exited container's name taken for ever.
      this.#log.warn({ containerId: id, err: error }, 'logs cannot be read');
      return '';
    }
  }

  async ping(): Promise<RuntimeInfo> {
    return { description: await this.#engine.version(), isolates: true };
  }

  /** Builds the runner image when the one of this package's hash is missing, and removes harvested leftovers. */
  async prepare(): Promise<void> {
    this.#facts = undefined;
    await this.#requireFacts();
    const infos = await this.#engine.list([this.#label]);
    for (const one of infos.map(fromListed)) if (isHarvested(one)) this.#removeLater(one.id);
    const image = await runnerImageTag(this.#options.root);
    this.#runnerImage = Promise.resolve(image);
    if (await this.#engine.hasImage(image)) return;
    const baseImage = await chooseBaseImage(this.#engine, this.#options.baseImage ?? DEFAULT_BASE_IMAGE);
    const beganMs = performance.now();
    this.#log.info({ image, baseImage }, 'building the runner image');
    await buildRunnerImage(this.#engine, await runnerContext(this.#options.root), baseImage);
    this.#log.info({ image, durationMs: Math.round(performance.now() - beganMs) }, 'runner image built');
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#removals.values());
    this.#engine.close();
  }

  /** Who must own a session's `out/` so that its container can write there; undefined: the daemon's own user. */
  async filesOwner(): Promise<Identity | undefined> {
    const user = containerUser(await this.#requireFacts(), this.#daemon);
    return this.#daemon?.uid === 0 && user.uid === CONTAINER_UID
      ? { uid: CONTAINER_UID, gid: CONTAINER_GID }
      : undefined;
  }

  /** Starts what was created. Exactly one of several callers is told `started`. Undefined: create it once more. */
  async #launch(spec: ContainerSpec, id: string): Promise<StartResult | undefined> {
    let outcome: 'started' | 'already_started';
    const missing = await this.#findMissingProgram(spec, id);
    if (missing !== undefined) {
      await this.#removeQuietly(id);
      return {
        kind: 'refused',
        detail: `program ${JSON.stringify(missing)} is not in image ${spec.image ?? 'of the runner'}`,
      };
    }
    try {
      outcome = await this.#engine.start(id);
    } catch (error) {
      if (error instanceof EngineAnswer) {
        await this.#removeQuietly(id);
        const network = staleEndpointOf(spec.name, error);
        if (network === undefined)
          return { kind: 'refused', detail: `the container of ${spec.session} does not start: ${error.message}` };
        this.#log.warn({ session: spec.session, network }, 'name still taken in a network, freed');
        await this.#engine.disconnect(network, spec.name);
        return undefined;
      }
      const begun = await this.inspect(spec.name).catch(() => undefined);
      if (begun === undefined || begun.id !== id || begun.state === 'created') throw error;
      outcome = 'started';
    }
    const info = await this.#engine.inspect(id);
    if (info === undefined)
      return { kind: 'refused', detail: `the container of ${spec.session} was removed as it started` };
    const container = this.#remember(fromInspected(info));
    return { kind: outcome === 'started' ? 'started' : 'exists', container };
  }

  /** Asked once per image and program: the answer does not change while the image does not. */
  async #findMissingProgram(spec: ContainerSpec, id: string): Promise<string | undefined> {
    const key = JSON.stringify([spec.image, spec.command?.[0], spec.environment['PATH']]);
    if (this.#programsFound.has(key)) return undefined;
    const created = await this.#engine.inspect(id);
    const missing = created === undefined ? undefined : await findMissingProgram(this.#engine, created);
    if (missing === undefined) this.#programsFound.add(key);
    return missing;
  }

  /** Somebody has the name. One of ours is the caller's to adopt or stop; a stranger is left alone. */
  async #heldBy(spec: ContainerSpec): Promise<StartResult | undefined> {
    const isStarting = (info: ContainerInspectInfo): boolean =>
      this.#isOurs(info) && fromInspected(info).state === 'created';
    let holder = await this.#engine.inspect(spec.name);
    // Another call may be between its create and its start.
    await this.#eventually(async () => {
      holder = await this.#engine.inspect(spec.name);
      return holder === undefined || !isStarting(holder);
    });
    if (holder === undefined) return undefined;
    if (!this.#isOurs(holder)) {
      const detail = `container ${holder.Id.slice(0, 12)} has the name ${spec.name} and is not of this install: rename or remove it by hand`;
      return { kind: 'refused', detail };
    }
    const container = fromInspected(holder);
    // A start that was broken off after its create, perhaps by the end of a daemon.
    if (isStarting(holder) && container.epoch === spec.epoch) return this.#launch(spec, container.id);
    return { kind: 'exists', container };
  }

  /** Undefined: no such container. Rejects with `refused` for any that is not this install's to touch. */
  async #requireOurs(id: ContainerId): Promise<ContainerInspectInfo | undefined> {
    const [info, own] = await Promise.all([this.#engine.inspect(id), this.#requireOwnIds()]);
    if (info === undefined) return undefined;
    if (isOneOf(info.Id, own)) {
      throw new NightporterError('refused', `container ${id} is the one that Nightporter runs in: it is not touched`);
    }
    if (!this.#isOurs(info)) {
      throw new NightporterError('refused', `container ${id} is not of this install: it is not touched`);
    }
    return info;
  }

  #isOurs(info: ContainerInspectInfo): boolean {
    return labelsOf(info)[LABELS.install] === this.#options.install;
  }

  async #isGone(id: string): Promise<boolean> {
    const info = await this.#engine.inspect(id);
    return info === undefined || !isAlive(info);
  }

  async #freeName(container: Container): Promise<void> {
    if (!isHarvested(container)) {
      try {
        await this.#engine.rename(container.id, harvestedName(container.name, container.epoch));
      } catch (error) {
        if (!(error instanceof EngineAnswer) && !isEngineFailure(error)) throw error;
        // Another call renamed or removed it first, or the new name is taken: without it the name is free as well.
        await this.#removeNow(container.id);
        return;
      }
    }
    this.#removeLater(container.id);
  }

  #removeLater(id: string): void {
    if (this.#removals.has(id)) return;
    const removal = this.#removeNow(id)
      .then(() => {
        this.#leftovers.delete(id);
      })
      .catch((error: unknown) => {
        this.#leftovers.add(id);
        this.#log.warn({ containerId: id, err: error }, 'removal of an ended container failed');
      })
      .finally(() => {
        this.#removals.delete(id);
      });
    this.#removals.set(id, removal);
  }

  async #removeQuietly(id: string): Promise<void> {
    this.#removeLater(id);
    await this.#removals.get(id);
  }

  async #removeNow(id: string): Promise<void> {
    await this.#engine.remove(id);
    // A removal by another call may still be under way.
    if (await this.#eventually(async () => (await this.#engine.inspect(id)) === undefined)) return;
    throw new RuntimeUnavailable(`remove container ${id}: the engine at ${this.#engine.url} still has it`);
  }

  async #withStart(listed: Omit<Container, 'startedAtMs'>): Promise<Container | undefined> {
    const startedAtMs = listed.state === 'created' ? null : this.#startedAtMs.get(listed.id);
    if (startedAtMs !== undefined) return { ...listed, startedAtMs };
    const info = await this.#engine.inspect(listed.id);
    if (info === undefined) return undefined;
    const container = this.#remember(fromInspected(info));
    return isHarvested(container) ? undefined : container;
  }

  #remember(container: Container): Container {
    if (container.startedAtMs !== null) this.#startedAtMs.set(container.id, container.startedAtMs);
    return container;
  }

  async #eventually(probe: () => Promise<boolean>): Promise<boolean> {
    const endMs = performance.now() + SETTLING_MS;
    while (!(await probe())) {
      if (performance.now() >= endMs) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  }

  #requireFacts(): Promise<EngineFacts> {
    return (this.#facts ??= this.#engine.info().then(factsFrom)).catch((error: unknown) => {
      this.#facts = undefined;
      throw error;
    });
  }

  #requireRunnerImage(): Promise<string> {
    return (this.#runnerImage ??= runnerImageTag(this.#options.root)).catch((error: unknown) => {
      this.#runnerImage = undefined;
      throw error;
    });
  }

  #requireOwnIds(): Promise<readonly string[]> {
    const { ownContainerIds } = this.#options;
    return ownContainerIds === undefined ? (this.#ownIds ??= readOwnContainerIds()) : Promise.resolve(ownContainerIds);
  }
}

function refusal(error: EngineAnswer, image: string): string {
  const text = messageOf(error);
  if (error.status !== 404) return `the engine does not take it: ${text}`;
  return `image ${image} is not on the engine: pull, load or build it (${text})`;
}
