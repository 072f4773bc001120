import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { RuntimeUnavailable } from '../../protocol/errors.js';
import { EngineAnswer, translateEngineError } from './engine-errors.js';
import type { EngineAddress } from './engine-address.js';
import { dockerOptions } from './engine-address.js';

/** The engine's shapes, as dockerode gives them; they stay in this folder. */
export type ContainerCreateOptions = Docker.ContainerCreateOptions;
export type ContainerInfo = Docker.ContainerInfo;
export type ContainerInspectInfo = Docker.ContainerInspectInfo;

/** What `version` and `info` say, as far as it matters. */
export interface EngineInfo {
  readonly podman: boolean;
  /** 0: unknown. */
  readonly cpus: number;
  readonly security: readonly string[];
}

export interface EngineStream {
  readonly stream: NodeJS.ReadableStream;
  /** Ends it, and its socket. */
  readonly close: () => void;
}

/** dockerode's types leave the options of these out; its code takes them. */
type PlainVerbs = Readonly<
  Record<'ping' | 'version' | 'info', (options: { abortSignal: AbortSignal }) => Promise<unknown>>
>;

/**
 * The engine's verbs, each with a deadline. Where the engine says no they throw EngineAnswer, where it does not answer
 * RuntimeUnavailable; "no such container" and "is so already" are values.
 */
export class Engine {
  readonly url: string;
  readonly #docker: Docker;
  readonly #plain: PlainVerbs;
  readonly #agent: HttpAgent;
  readonly #deadlineMs: number;

  /** `deadlineMs`: for every call that has none of its own. */
  constructor(address: EngineAddress, env: Readonly<Record<string, string | undefined>>, deadlineMs: number) {
    this.url = address.url;
    this.#deadlineMs = deadlineMs;
    const options = dockerOptions(address, env);
    // A socket per call: a kept one that the engine closed meanwhile would fail the next call.
    this.#agent = options.protocol === 'https' ? new HttpsAgent() : new HttpAgent();
    const withAgent: Docker.DockerOptions & { agent: HttpAgent } = { ...options, agent: this.#agent };
    this.#docker = new Docker(withAgent);
    this.#plain = this.#docker;
  }

  close(): void {
    this.#agent.destroy();
  }

  async ping(): Promise<void> {
    await this.#call('ping', (abortSignal) => this.#plain.ping({ abortSignal }));
  }

  /** `Docker 20.10.24` or `Podman 5.2`. */
  async version(): Promise<string> {
    const version = await this.#version();
    return `${isPodman(version) ? 'Podman' : 'Docker'} ${asText(version['Version'])}`;
  }

  async apiVersion(): Promise<string> {
    return asText((await this.#version())['ApiVersion']);
  }

  async info(): Promise<EngineInfo> {
    const podman = isPodman(await this.#version());
    const info = asRecord(await this.#call('info', (abortSignal) => this.#plain.info({ abortSignal })));
    const security = Array.isArray(info['SecurityOptions']) ? info['SecurityOptions'].map(asText) : [];
    return { podman, cpus: typeof info['NCPU'] === 'number' ? info['NCPU'] : 0, security };
  }

  async list(labels: readonly string[]): Promise<readonly ContainerInfo[]> {
    return this.#call('list containers', (abortSignal) =>
      this.#docker.listContainers({ all: true, filters: { label: [...labels] }, abortSignal }),
    );
  }

  /** By id or name. */
  async inspect(id: string): Promise<ContainerInspectInfo | undefined> {
    return this.#orMissing(
      this.#call(`inspect container ${id}`, (abortSignal) => this.#docker.getContainer(id).inspect({ abortSignal })),
    );
  }

  /** Returns its id. 404: no such image; 409: the name is taken. */
  async create(options: ContainerCreateOptions): Promise<string> {
    const created = await this.#call(`create container ${options.name ?? ''}`, (abortSignal) =>
      this.#docker.createContainer({ ...options, abortSignal }),
    );
    return created.id;
  }

  async start(id: string): Promise<'started' | 'already_started'> {
    try {
      await this.#call(`start container ${id}`, (abortSignal) => this.#docker.getContainer(id).start({ abortSignal }));
      return 'started';
    } catch (error) {
      if (error instanceof EngineAnswer && error.status === 304) return 'already_started';
      throw error;
    }
  }

  /** TERM, KILL after `graceMs` (rounded up to seconds); its deadline is that much longer. */
  async stop(id: string, graceMs: number): Promise<void> {
    const seconds = Math.ceil(Math.max(0, graceMs) / 1000);
    await this.#orAlready(
      this.#call(
        `stop container ${id}`,
        (abortSignal) => this.#docker.getContainer(id).stop({ t: seconds, abortSignal }),
        seconds * 1000 + this.#deadlineMs,
      ),
    );
  }

  async kill(id: string): Promise<void> {
    await this.#orAlready(
      this.#call(`kill container ${id}`, (abortSignal) =>
        this.#docker.getContainer(id).kill({ signal: 'SIGKILL', abortSignal }),
      ),
    );
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#call(`rename container ${id} to ${name}`, (abortSignal) =>
      this.#docker.getContainer(id).rename({ name, abortSignal }),
    );
  }

  /** Gives up the name's place in a network, of a container that is gone too. */
  async disconnect(network: string, name: string): Promise<void> {
    await this.#orAlready(
      this.#call(`disconnect ${name} from network ${network}`, (abortSignal) =>
        this.#docker.getNetwork(network).disconnect({ Container: name, Force: true, abortSignal }),
      ),
    );
  }

  /** With its anonymous volumes. Resolves as well when it is gone or another removal is under way. */
  async remove(id: string): Promise<void> {
    await this.#orAlready(
      this.#call(`remove container ${id}`, (abortSignal) =>
        this.#docker.getContainer(id).remove({ force: true, v: true, abortSignal }),
      ),
    );
  }

  /** As the engine sends it: frames of stdout and stderr. Undefined: no such container. */
  async logs(id: string, lines: number): Promise<Buffer | undefined> {
    return this.#orMissing(
      this.#call(`logs of container ${id}`, async (abortSignal) => {
        const body: unknown = await this.#docker
          .getContainer(id)
          .logs({ stdout: true, stderr: true, tail: lines, follow: false, abortSignal });
        return Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      }),
    );
  }

  /** `sinceMs`: also what happened since that time, epoch milliseconds. */
  async events(labels: readonly string[], sinceMs: number): Promise<EngineStream> {
    const exits = ['die', 'died']; // Docker's word and Podman's
    const filters = { type: ['container'], event: ['start', ...exits], label: [...labels] };
    return this.#open('events', (abortSignal) =>
      this.#docker.getEvents({ since: sinceMs / 1000, filters, abortSignal } as Docker.GetEventsOptions),
    );
  }

  /** Whether a container, running or not, has something under this path. */
  async hasFile(id: string, path: string): Promise<boolean> {
    const found = await this.#orMissing(
      this.#call(`look for ${path} in container ${id}`, async (abortSignal) => {
        const answer: unknown = await this.#docker.getContainer(id).infoArchive({ path, abortSignal });
        if (answer instanceof Readable) answer.resume();
        return true;
      }),
    );
    return found ?? false;
  }

  async hasImage(tag: string): Promise<boolean> {
    const image = await this.#orMissing(
      this.#call(`inspect image ${tag}`, async (abortSignal) =>
        this.#docker.getImage(tag).inspect({ abortSignal } as object),
      ),
    );
    return image !== undefined;
  }

  /** The engine's lines of JSON, from a build of a tar with a Dockerfile. */
  async build(context: Buffer, tag: string, buildargs: Readonly<Record<string, string>>): Promise<EngineStream> {
    return this.#open(`build image ${tag}`, (abortSignal) =>
      this.#docker.buildImage(context as unknown as NodeJS.ReadableStream, {
        t: tag,
        buildargs: { ...buildargs },
        rm: true,
        forcerm: true,
        abortSignal,
      }),
    );
  }

  async #version(): Promise<Record<string, unknown>> {
    return asRecord(await this.#call('version', (abortSignal) => this.#plain.version({ abortSignal })));
  }

  async #call<T>(
    what: string,
    request: (abortSignal: AbortSignal) => Promise<T>,
    deadlineMs = this.#deadlineMs,
  ): Promise<T> {
    const controller = new AbortController();
    return this.#bounded(what, request, controller, deadlineMs);
  }

  /** The deadline is for the engine's first answer; then the stream goes on until it is closed. */
  async #open(
    what: string,
    request: (abortSignal: AbortSignal) => Promise<NodeJS.ReadableStream>,
  ): Promise<EngineStream> {
    const controller = new AbortController();
    const stream = await this.#bounded(what, request, controller, this.#deadlineMs);
    // Closing aborts the request, which is an error event on what is left of it; nobody has to hear of it then.
    stream.on('error', () => undefined);
    return {
      stream,
      close: () => {
        controller.abort();
        if (stream instanceof Readable) stream.destroy();
      },
    };
  }

  async #bounded<T>(
    what: string,
    request: (abortSignal: AbortSignal) => Promise<T>,
    controller: AbortController,
    deadlineMs: number,
  ): Promise<T> {
    let timedOutAfterMs: number | undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        timedOutAfterMs = deadlineMs;
        // dockerode settles nothing when a response breaks off in its middle, so the race is not left to it.
        reject(new Error('deadline'));
        controller.abort();
      }, deadlineMs);
    });
    try {
      return await Promise.race([request(controller.signal), late]);
    } catch (error) {
      throw translateEngineError(error, { what, url: this.url, timedOutAfterMs });
    } finally {
      clearTimeout(timer);
    }
  }

  async #orMissing<T>(call: Promise<T>): Promise<T | undefined> {
    try {
      return await call;
    } catch (error) {
      if (error instanceof EngineAnswer && error.status === 404) return undefined;
      throw error;
    }
  }

  /** 304: is so already; 404: is gone; 409: does not run, or is being removed. What is true is asked afterwards. */
  async #orAlready(call: Promise<unknown>): Promise<void> {
    try {
      await call;
    } catch (error) {
      if (!(error instanceof EngineAnswer) || ![304, 404, 409].includes(error.status)) throw error;
    }
  }
}

/** True when the engine answered with a failure, rather than not at all. */
export function isEngineFailure(error: unknown): boolean {
  return error instanceof RuntimeUnavailable && error.cause instanceof EngineAnswer;
}

function isPodman(version: Record<string, unknown>): boolean {
  const components: readonly unknown[] = Array.isArray(version['Components']) ? version['Components'] : [];
  return components.some((one) => asRecord(one)['Name'] === 'Podman Engine');
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
