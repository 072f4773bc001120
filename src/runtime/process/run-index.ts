import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerId, InstallId } from '../../ports/runtime.js';
import { errorCode, identityOf, parseRecord } from './json-record.js';
import { findProcess } from './process-identity.js';
import type { ProcessIdentity } from './process-identity.js';
import { formatLabels, parseLabels } from './process-marker.js';
import type { Labels } from './process-marker.js';

/** One container that was begun and not harvested. */
export interface IndexEntry {
  readonly name: string;
  readonly labels: Labels;
  /** Where the shim's files are. */
  readonly folder: string;
  readonly createdAtMs: number;
  /** The daemon that began it. */
  readonly creator: ProcessIdentity;
}

const SUFFIX = '.json';

/**
 * `<data dir>/run/<name>.json`, one file per container: its existence is what makes a name taken. Made whole by
 * link(2), which is exclusive across processes. Nothing is synced: after a power failure no container is left either.
 */
export class RunIndex {
  readonly #folder: string;
  readonly #install: InstallId;

  constructor(dataDir: string, install: InstallId) {
    this.#folder = join(dataDir, 'run');
    this.#install = install;
  }

  /** `taken`: by whom, of whatever install; undefined when it was released at the same moment. */
  async create(
    entry: IndexEntry,
  ): Promise<{ readonly kind: 'created' } | { readonly kind: 'taken'; readonly by: IndexEntry | undefined }> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const temporary = join(this.#folder, `.${entry.name}.${String(process.pid)}.${randomBytes(6).toString('hex')}`);
    try {
      await writeFile(temporary, formatEntry(entry), { flag: 'wx', mode: 0o600 });
      await link(temporary, this.#path(entry.name));
      return { kind: 'created' };
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    const by = await this.#read(entry.name);
    // Torn by a power failure: no process of it can be left, the next start may have the name.
    if (by === 'unreadable') await unlink(this.#path(entry.name));
    return { kind: 'taken', by: by === 'unreadable' ? undefined : by };
  }

  /** What hosts left that were killed in the middle of `create`. */
  async removeTemporaries(): Promise<void> {
    const files = await readdir(this.#folder).catch(() => []);
    for (const file of files.filter((name) => name.startsWith('.'))) {
      const pid = Number(file.split('.').at(-2));
      if ((await findProcess(pid)) === undefined) await rm(join(this.#folder, file), { force: true });
    }
  }

  /** Of this install only. */
  async find(name: string): Promise<IndexEntry | undefined> {
    const entry = await this.#read(name);
    return entry === 'unreadable' || entry?.labels.install !== this.#install ? undefined : entry;
  }

  /** Of this install only. */
  async findById(id: ContainerId): Promise<IndexEntry | undefined> {
    const entry = await this.find(nameOfId(id));
    return entry?.labels.id === id ? entry : undefined;
  }

  /** Of this install only. */
  async list(): Promise<readonly IndexEntry[]> {
    const files = await readdir(this.#folder).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    });
    const names = files.filter((file) => file.endsWith(SUFFIX) && !file.startsWith('.'));
    const entries = await Promise.all(names.map((file) => this.find(file.slice(0, -SUFFIX.length))));
    return entries.filter((entry) => entry !== undefined);
  }

  /** Frees the name, unless another container has it by now. */
  async release(entry: IndexEntry): Promise<void> {
    if ((await this.findById(entry.labels.id)) === undefined) return;
    await unlink(this.#path(entry.name)).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') throw error;
    });
  }

  async #read(name: string): Promise<IndexEntry | 'unreadable' | undefined> {
    if (!isFileName(name)) return undefined;
    let text: string;
    try {
      text = await readFile(this.#path(name), 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    return parseEntry(name, text) ?? 'unreadable';
  }

  #path(name: string): string {
    return join(this.#folder, name + SUFFIX);
  }
}

/** Unique for ever, and tells the name: `<name>.<16 hex digits>`. */
export function newContainerId(name: string): ContainerId {
  return `${name}.${randomBytes(8).toString('hex')}` as ContainerId;
}

export function nameOfId(id: ContainerId): string {
  return id.slice(0, Math.max(0, id.lastIndexOf('.')));
}

export function isFileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/.test(name);
}

function formatEntry({ labels, folder, createdAtMs, creator }: IndexEntry): string {
  return JSON.stringify({ labels: formatLabels(labels), folder, createdAtMs, creator });
}

function parseEntry(name: string, text: string): IndexEntry | undefined {
  const found = parseRecord(text);
  const labels = typeof found?.['labels'] === 'string' ? parseLabels(found['labels']) : undefined;
  const creator = identityOf(found?.['creator']);
  const folder = found?.['folder'];
  const createdAtMs = found?.['createdAtMs'];
  if (labels === undefined || creator === undefined) return undefined;
  if (typeof folder !== 'string' || typeof createdAtMs !== 'number') return undefined;
  return { name, labels, folder, createdAtMs, creator };
}
