import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type {
  Container,
  ContainerEnd,
  ContainerId,
  ContainerSpec,
  Runtime,
  RuntimeEvent,
  RuntimeInfo,
  StartResult,
  StopResult,
} from '../ports/runtime.js';

/** A key, or a file of a cloud's; more is a slip. */
const MAX_BYTES = 64 * 1024;

/** A runtime whose starts read values of variables from files: they are in the container's environment and nowhere else. */
export class SecretFiles implements Runtime {
  readonly kind: Runtime['kind'];
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.kind = runtime.kind;
  }

  async start(spec: ContainerSpec): Promise<StartResult> {
    const secrets: Record<string, string> = {};
    for (const [name, path] of Object.entries(spec.secretFiles ?? {})) {
      const read = await readSecret(path);
      if ('problem' in read) return { kind: 'refused', detail: `ENVIRONMENT: ${name}: ${path} ${read.problem}` };
      secrets[name] = read.value;
    }
    return this.#runtime.start({ ...spec, environment: { ...spec.environment, ...secrets } });
  }

  stop(id: ContainerId, graceMs: number): Promise<StopResult> {
    return this.#runtime.stop(id, graceMs);
  }

  harvest(container: Container): Promise<ContainerEnd> {
    return this.#runtime.harvest(container);
  }

  remove(id: ContainerId): Promise<void> {
    return this.#runtime.remove(id);
  }

  list(): Promise<readonly Container[]> {
    return this.#runtime.list();
  }

  inspect(name: string): Promise<Container | undefined> {
    return this.#runtime.inspect(name);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#runtime.events(signal);
  }

  logs(id: ContainerId, maxBytes: number): Promise<string> {
    return this.#runtime.logs(id, maxBytes);
  }

  ping(): Promise<RuntimeInfo> {
    return this.#runtime.ping();
  }

  prepare(): Promise<void> {
    return this.#runtime.prepare();
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }
}

type Secret = { readonly value: string } | { readonly problem: string };

/** The file's text without white space around it. Never says anything of what is in it. */
async function readSecret(path: string): Promise<Secret> {
  try {
    // A fifo would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) return { problem: 'is no file' };
      if (stat.size > MAX_BYTES) return { problem: `is larger than ${String(MAX_BYTES)} bytes` };
      const value = (await file.readFile('utf8')).trim();
      if (value === '') return { problem: 'is empty' };
      return value.includes('\0') ? { problem: 'is no text' } : { value };
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { problem: code === 'ENOENT' ? 'is not there' : `cannot be read (${code})` };
  }
}
