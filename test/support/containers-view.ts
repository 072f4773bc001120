import { readdirSync, readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import { installId } from '../../src/store/install-id.js';
import { LABELS } from '../../src/runtime/spec-labels.js';
import { MARKER_VARIABLE } from '../../src/runtime/process/process-marker.js';

/** One container as the machine itself tells it: `docker ps`, or /proc. */
export interface SeenContainer {
  readonly id: string;
  readonly session: string;
  readonly epoch: number;
  /** On this machine; the runner's own. */
  readonly pid: number;
}

/** What runs for a data dir, asked behind the product's back. */
export interface ContainersView {
  /** Running and paused ones. */
  running(): Promise<readonly SeenContainer[]>;
  /** SIGKILL, SIGSTOP, ... to the runner (process), SIGKILL through the engine (docker). */
  signal(session: string, signal: NodeJS.Signals): Promise<void>;
  /** Ends all of it. */
  reap(): Promise<void>;
}

export async function requireContainer(view: ContainersView, session: string): Promise<SeenContainer> {
  const found = (await view.running()).find((one) => one.session === session);
  if (found === undefined) throw new Error(`no container of ${session} runs`);
  return found;
}

/** Finds runners by the marker in their environment, as they stand in /proc. */
export class ProcessesView implements ContainersView {
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  running(): Promise<readonly SeenContainer[]> {
    const eldest = new Map<string, SeenContainer & { readonly start: number }>();
    for (const one of this.#marked()) {
      const known = eldest.get(one.id);
      if (known === undefined || one.start < known.start) eldest.set(one.id, one);
    }
    return Promise.resolve([...eldest.values()]);
  }

  async signal(session: string, signal: NodeJS.Signals): Promise<void> {
    process.kill((await requireContainer(this, session)).pid, signal);
  }

  reap(): Promise<void> {
    for (const { pid } of this.#marked()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself.
      }
    }
    return Promise.resolve();
  }

  #marked(): (SeenContainer & { readonly start: number })[] {
    const install = installId(this.#dataDir);
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const marked = readMarked(Number(name));
        return marked?.install === install ? [marked.container] : [];
      });
  }
}

function readMarked(
  pid: number,
): { readonly install: string; readonly container: SeenContainer & { readonly start: number } } | undefined {
  try {
    const environment = readFileSync(`/proc/${String(pid)}/environ`, 'utf8');
    const marker = environment.split('\0').find((variable) => variable.startsWith(`${MARKER_VARIABLE}=`));
    if (marker === undefined) return undefined;
    const labels = JSON.parse(marker.slice(MARKER_VARIABLE.length + 1)) as Record<string, unknown>;
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    const container = {
      id: String(labels['nightporter.container']),
      session: String(labels[LABELS.session]),
      epoch: Number(labels[LABELS.epoch]),
      pid,
      start: Number(fields[19]),
    };
    return { install: String(labels[LABELS.install]), container };
  } catch {
    // Gone meanwhile, or another user's.
    return undefined;
  }
}

/** Asks the engine, by this install's label. */
export class EngineView implements ContainersView {
  readonly #docker: Docker;
  readonly #dataDir: string;

  constructor(docker: Docker, dataDir: string) {
    this.#docker = docker;
    this.#dataDir = dataDir;
  }

  async running(): Promise<readonly SeenContainer[]> {
    const listed = await this.#listed(false);
    return Promise.all(
      listed.map(async ({ Id: id, Labels: labels }) => ({
        id,
        session: String(labels[LABELS.session]),
        epoch: Number(labels[LABELS.epoch]),
        pid: await this.#runnerPid(id),
      })),
    );
  }

  async signal(session: string, signal: NodeJS.Signals): Promise<void> {
    const { id, pid } = await requireContainer(this, session);
    // Signals to a container go to its init; the runner is stopped from outside.
    if (signal === 'SIGKILL') await this.#docker.getContainer(id).kill({ signal });
    else process.kill(pid, signal);
  }

  async pause(session: string): Promise<void> {
    await this.#docker.getContainer((await requireContainer(this, session)).id).pause();
  }

  async reap(): Promise<void> {
    for (const { Id: id } of await this.#listed(true)) {
      await this.#docker
        .getContainer(id)
        .remove({ force: true, v: true })
        .catch((error: unknown) => {
          const { statusCode } = error as { readonly statusCode?: number };
          if (statusCode !== 404 && statusCode !== 409) throw error;
        });
    }
  }

  #listed(all: boolean): Promise<Docker.ContainerInfo[]> {
    return this.#docker.listContainers({ all, filters: { label: [`${LABELS.install}=${installId(this.#dataDir)}`] } });
  }

  /** 0: it ended meanwhile, or is no Node program. */
  async #runnerPid(id: string): Promise<number> {
    try {
      const { Processes: rows } = (await this.#docker.getContainer(id).top({ ps_args: '-eo pid,args' })) as {
        readonly Processes: readonly (readonly string[])[];
      };
      const runner = rows.find(([, args]) => args?.startsWith('node ') === true);
      return Number(runner?.[0] ?? 0);
    } catch {
      return 0;
    }
  }
}
