import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { ChannelKey } from '../../src/protocol/address.js';
import { memoryFolder } from './crash-bench.js';
import { FakeRuntime } from './fake-runtime.js';
import { ManualClock } from './manual-clock.js';
import { TestPorter, session } from './porter.js';
import type { PorterOptions } from './porter.js';

const DAY = 24 * 3_600_000;
const STARTED_MS = Date.UTC(2026, 0, 15, 12);
const NOW_MS = STARTED_MS + 40 * DAY;

/** A fleet that upkeep has something of every kind to do about, made once and taken up again as often as wanted. */
export class CollectBench {
  readonly folder: string;
  readonly dataDir: string;
  readonly #template: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.dataDir = join(folder, 'data');
    this.#template = join(folder, 'template');
  }

  static async fresh(): Promise<CollectBench> {
    const bench = new CollectBench(memoryFolder());
    await bench.#arrange();
    return bench;
  }

  /** That of another process. */
  static at(folder: string): CollectBench {
    return new CollectBench(folder);
  }

  open(options: Pick<PorterOptions, 'ports'> = {}, nowMs = NOW_MS): TestPorter {
    const clock = new ManualClock(nowMs);
    return new TestPorter({
      ...{ files: 'in_process', dataDir: this.dataDir, clock, ...options },
      runtime: (install) => new FakeRuntime({ install, clock }),
    });
  }

  restore(): void {
    for (const name of readdirSync(this.dataDir)) rmSync(join(this.dataDir, name), { recursive: true });
    cpSync(this.#template, this.dataDir, { recursive: true });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What must never be so, however far it came. */
  breaches(p: TestPorter): readonly string[] {
    const found: string[] = [];
    const all = [...p.registry.eachSession()].map(({ address }) => address);
    for (const name of readdirSync(join(this.dataDir, 'sessions/g'))) {
      const address = session(`g/${name === '.removed' ? 'removed' : name}`);
      if (name === '.removed' || all.includes(address) || p.registry.isBeingRemoved(address)) continue;
      found.push(`${address} has a folder and no row, and nobody knows of it`);
    }
    for (const address of all) {
      if (this.#messagesOf(address).length === 0) found.push(`${address} has a row and no messages`);
    }
    for (const name of ['g/busy', 'g/pruned']) {
      if (!this.#messagesOf(name).includes('later')) found.push(`${name} lost a message`);
    }
    if (this.#messagesOf('g/pinned').length !== 3) found.push('g/pinned was touched');
    return found;
  }

  /** As often as an hourly job would get to it in a day; then what is there. */
  async catchUp(p: TestPorter): Promise<unknown> {
    await p.upkeep.collect({ dryRun: false });
    await p.upkeep.collect({ dryRun: false });
    await p.round();
    const folders = readdirSync(join(this.dataDir, 'sessions/g')).sort();
    const rows = [...p.registry.eachSession()].map(({ address, status, counts }) => [address, status, counts]);
    const ids = folders.map((name) => this.#messagesOf(`g/${name}`));
    return { folders, rows, ids, left: p.registry.removals(10), prunes: p.registry.prunes(session('g/pruned')) };
  }

  /** Sessions of every kind that upkeep has something to do about, and two that it must leave alone. */
  async #arrange(): Promise<void> {
    mkdirSync(this.dataDir);
    const p = this.open({}, STARTED_MS);
    const end = async (name: string, ids: readonly string[]): Promise<void> => {
      for (const id of ids) p.send(name, id);
      await p.round();
      for (const id of ids) p.ack(name, id, id.startsWith('dead') ? 'failed' : 'completed');
      await p.look(name);
      p.runtime.exit(session(name), { exitCode: 0 });
      await p.look(name);
    };
    for (const name of ['g/deleted', 'g/left', 'g/idle', 'g/pruned', 'g/busy', 'g/pinned']) {
      await end(name, ['m1', 'dead-2', 'm3']);
    }
    p.send('g/pruned', 'later', { afterMs: NOW_MS + DAY });
    p.send('g/busy', 'later', { trigger: false, afterMs: NOW_MS + DAY });
    await p.round();
    p.registry.setPinned(session('g/pinned'), true);
    for (const name of ['g/deleted', 'g/left']) p.registry.setStatus(session(name), 'closed', STARTED_MS, 'operator');
    p.registry.deleteSession(session('g/left'), STARTED_MS);
    p.registry.saveConversation('c:1' as ChannelKey, session('g/busy'), STARTED_MS - 60 * DAY);
    await p.rounds.stop();
    p.abandon();
    cpSync(this.dataDir, this.#template, { recursive: true });
  }

  #messagesOf(name: string): readonly string[] {
    const file = join(this.dataDir, 'sessions', name, 'in/inbound.db');
    if (!existsSync(file)) return [];
    // Of a copy: what a killed host left half written is for the next one to roll back.
    const copy = join(this.folder, 'copy.db');
    for (const end of ['', '-journal']) {
      rmSync(`${copy}${end}`, { force: true });
      if (existsSync(`${file}${end}`)) cpSync(`${file}${end}`, `${copy}${end}`);
    }
    const db = new Database(copy);
    try {
      return db.prepare<[], string>('SELECT id FROM messages_in ORDER BY seq').pluck().all();
    } finally {
      db.close();
    }
  }
}
