import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OUTBOX_FOLDER } from '../../../src/protocol/workspace.js';
import type { Log } from './log.js';

const PREFIX = '.turn-';
/** More files than any host hands out need not be durable before their answer. */
const SYNCED_FILES = 100;

export type HandOver =
  | { readonly kind: 'empty' }
  /** `id`: of the answer that they belong to. */
  | { readonly kind: 'given'; readonly id: string }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * A fresh folder for a turn's program to leave files in. It lies in the outbox, under a name that is no answer's, so that it
 * becomes an answer's folder by one rename.
 */
export class TurnOutbox {
  /** undefined: it could not be made, the turn goes on without one. */
  readonly path: string | undefined;
  readonly #outbox: string;
  readonly #log: Log;

  private constructor(outbox: string, path: string | undefined, log: Log) {
    this.#outbox = outbox;
    this.path = path;
    this.#log = log;
  }

  /** What an earlier turn left behind that did not end is removed: one turn runs at a time. */
  static async open(workspace: string, log: Log): Promise<TurnOutbox> {
    const outbox = join(workspace, OUTBOX_FOLDER);
    const path = join(outbox, PREFIX + globalThis.crypto.randomUUID());
    try {
      await mkdir(outbox, { recursive: true });
      for (const name of await readdir(outbox)) if (name.startsWith(PREFIX)) await removeTree(join(outbox, name));
      await mkdir(path);
      return new TurnOutbox(outbox, path, log);
    } catch (error) {
      log.error('no folder for the files of a turn', { reason: reasonOf(error) });
      return new TurnOutbox(outbox, undefined, log);
    }
  }

  /** Gives what is in it to an answer, durably, before the answer's row is written. */
  async handOver(): Promise<HandOver> {
    if (this.path === undefined) return { kind: 'empty' };
    try {
      const entries = await readdir(this.path, { withFileTypes: true });
      if (entries.length === 0) return { kind: 'empty' };
      const id = globalThis.crypto.randomUUID();
      for (const entry of entries.slice(0, SYNCED_FILES)) if (entry.isFile()) await sync(join(this.path, entry.name));
      await sync(this.path);
      await rename(this.path, join(this.#outbox, id));
      await sync(this.#outbox);
      return { kind: 'given', id };
    } catch (error) {
      return { kind: 'failed', reason: reasonOf(error) };
    }
  }

  async remove(): Promise<void> {
    if (this.path === undefined) return;
    await removeTree(this.path).catch((error: unknown) => {
      this.#log.error('the files of a turn could not be removed', { reason: reasonOf(error) });
    });
  }
}

async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function sync(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : 'unknown';
}
