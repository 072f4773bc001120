import type { Container, ContainerId, InstallId } from '../../ports/runtime.js';
import { observeContainer } from './observe-container.js';
import type { Observed } from './observe-container.js';
import { estimateStartMs, isAlive } from './process-identity.js';
import type { ProcessIdentity } from './process-identity.js';
import { eldest, findMarked } from './process-marker.js';
import type { Labels, MarkedProcess } from './process-marker.js';
import { nameOfId } from './run-index.js';
import type { IndexEntry, RunIndex } from './run-index.js';

/** A container whose index entry is there. */
export interface IndexedContainer {
  readonly kind: 'indexed';
  readonly labels: Labels;
  readonly entry: IndexEntry;
  readonly observed: Observed;
}

/** A container whose index entry is lost while a process of it still runs. */
export interface StrayContainer {
  readonly kind: 'stray';
  readonly labels: Labels;
  readonly runner: ProcessIdentity;
}

export type FoundContainer = IndexedContainer | StrayContainer;

/** Reads what runs from the index, the containers' files and /proc, afresh at every call. */
export class ContainerFinder {
  readonly #index: RunIndex;
  readonly #install: InstallId;
  readonly #mayStart: (entry: IndexEntry) => Promise<boolean>;

  constructor(index: RunIndex, install: InstallId, mayStart: (entry: IndexEntry) => Promise<boolean>) {
    this.#index = index;
    this.#install = install;
    this.#mayStart = mayStart;
  }

  async all(): Promise<readonly FoundContainer[]> {
    // Before the index is read: what has no entry afterwards has lost it.
    const marked = await findMarked(this.#install);
    const entries = await this.#index.list();
    const indexed = await Promise.all(entries.map((entry) => this.observe(entry)));
    return [...indexed, ...(await this.#strays(marked))];
  }

  async byName(name: string): Promise<FoundContainer | undefined> {
    const entry = await this.#index.find(name);
    return entry === undefined ? this.strayByName(name) : this.observe(entry);
  }

  async byId(id: ContainerId): Promise<FoundContainer | undefined> {
    const entry = await this.#index.findById(id);
    if (entry !== undefined) return this.observe(entry);
    return (await this.#strays(await findMarked(this.#install))).find((stray) => stray.labels.id === id);
  }

  async strayByName(name: string): Promise<StrayContainer | undefined> {
    const strays = await this.#strays(await findMarked(this.#install));
    return strays.find((stray) => nameOfId(stray.labels.id) === name);
  }

  async observe(entry: IndexEntry): Promise<IndexedContainer> {
    const observed = await observeContainer(entry, () => this.#mayStart(entry));
    return { kind: 'indexed', labels: entry.labels, entry, observed };
  }

  async #strays(marked: readonly MarkedProcess[]): Promise<readonly StrayContainer[]> {
    const strays: StrayContainer[] = [];
    for (const id of new Set(marked.map((one) => one.labels.id))) {
      const first = eldest(marked.filter((one) => one.labels.id === id));
      if (first === undefined || (await this.#index.findById(id)) !== undefined) continue;
      if (await isAlive(first.identity)) strays.push({ kind: 'stray', labels: first.labels, runner: first.identity });
    }
    return strays;
  }
}

export async function toContainer(found: FoundContainer): Promise<Container> {
  const { id, install, session, epoch, specHash } = found.labels;
  const labels = { id, name: nameOfId(id), install, session, epoch, specHash };
  if (found.kind === 'stray') {
    return { ...labels, state: 'running', startedAtMs: await estimateStartMs(found.runner) };
  }
  const { observed } = found;
  return { ...labels, state: observed.state, startedAtMs: observed.state === 'created' ? null : observed.startedAtMs };
}

/** Undefined: nothing of it runs, as far as anybody knows. */
export function runnerOf(found: FoundContainer): ProcessIdentity | undefined {
  if (found.kind === 'stray') return found.runner;
  return found.observed.state === 'running' ? found.observed.runner : undefined;
}
