import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findBootId, findIdentity, isRunning, type ProcessIdentity } from './process-identity.js';
import type { WorkerLog } from './pool.js';

interface Entry {
  readonly child: ProcessIdentity;
  /** The host that forked it: a leftover's is gone. */
  readonly owner: ProcessIdentity;
  readonly bootId: string;
}

/** Keeps in `workers.json` which children run, so that the next start can end those that were left behind. */
export class WorkerLedger {
  readonly #path: string;
  readonly #log: WorkerLog | undefined;
  #entries: readonly Entry[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(dataDir: string, log: WorkerLog | undefined) {
    this.#path = join(dataDir, 'workers.json');
    this.#log = log;
  }

  /** Kills children whose host is gone. Returns how many there were. */
  async endLeftovers(): Promise<number> {
    const bootId = await findBootId();
    let ended = 0;
    for (const entry of await this.#read()) {
      if (entry.bootId !== bootId || !(await isRunning(entry.child)) || (await isRunning(entry.owner))) continue;
      try {
        process.kill(entry.child.pid, 'SIGKILL');
        ended += 1;
      } catch (error) {
        this.#log?.warn({ err: error, pid: entry.child.pid }, 'could not end a file worker that was left behind');
      }
    }
    await this.#removeTemporaries();
    if (ended > 0) this.#log?.info({ count: ended }, 'ended file workers that were left behind');
    return ended;
  }

  /** Resolves when the child is on record. A disk that is full must not keep the children from reading. */
  async add(pid: number): Promise<void> {
    const [child, owner, bootId] = await Promise.all([findIdentity(pid), findIdentity(process.pid), findBootId()]);
    if (child === undefined || owner === undefined || bootId === undefined) return;
    this.#entries = [...this.#entries, { child, owner, bootId }];
    await this.#write();
  }

  async remove(pid: number): Promise<void> {
    this.#entries = this.#entries.filter((entry) => entry.child.pid !== pid);
    await this.#write();
  }

  /** Resolves when what was recorded so far is written. */
  flush(): Promise<void> {
    return this.#writing;
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      try {
        const others = await this.#readOfOthers();
        await this.#replace(JSON.stringify([...others, ...this.#entries]));
      } catch (error) {
        this.#log?.warn({ err: error }, 'could not record the file workers');
      }
    });
    return this.#writing;
  }

  /** Whole, or not at all. */
  async #replace(text: string): Promise<void> {
    const temporary = `${this.#path}.${String(process.pid)}`;
    try {
      await writeFile(temporary, text, { mode: 0o600 });
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Of hosts that were killed before they had renamed theirs. */
  async #removeTemporaries(): Promise<void> {
    // Without /proc nobody can tell who lives.
    if ((await findIdentity(process.pid)) === undefined) return;
    const prefix = `${basename(this.#path)}.`;
    const names = await readdir(dirname(this.#path)).catch(() => []);
    for (const name of names.filter((one) => one.startsWith(prefix))) {
      const pid = Number(name.slice(prefix.length));
      if (!Number.isSafeInteger(pid) || (await findIdentity(pid)) !== undefined) continue;
      await rm(join(dirname(this.#path), name), { force: true });
    }
  }

  /** A command that only reads may run beside the daemon: its children stay on record. */
  async #readOfOthers(): Promise<readonly Entry[]> {
    const others = (await this.#read()).filter((entry) => entry.owner.pid !== process.pid);
    const running = await Promise.all(others.map((entry) => isRunning(entry.child)));
    return others.filter((_entry, index) => running[index] === true);
  }

  async #read(): Promise<readonly Entry[]> {
    try {
      const content: unknown = JSON.parse(await readFile(this.#path, 'utf8'));
      return Array.isArray(content) ? content.filter(isEntry) : [];
    } catch {
      return []; // none yet, or cut short by a full disk
    }
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const entry = value as Partial<Record<keyof Entry, unknown>>;
  return isIdentity(entry.child) && isIdentity(entry.owner) && typeof entry.bootId === 'string';
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startTime } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  return Number.isSafeInteger(pid) && typeof pid === 'number' && pid > 1 && typeof startTime === 'string';
}
