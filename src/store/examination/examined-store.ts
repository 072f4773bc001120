import { resolve } from 'node:path';
import type { Examined, StoreExaminer } from '../../ports/examination.js';
import { FileChild } from '../worker/file-child.js';
import type { Operations } from './operations.js';

export interface ExaminedStoreOptions {
  readonly dataDir: string;
  /** Absolute path of the compiled `store/examination/child.js`. */
  readonly childEntry: string;
  /** For one question; a large registry takes seconds. */
  readonly deadlineMs: number;
}

/** Asks a child process, which is replaced where it died or was killed. */
export class ExaminedStore implements StoreExaminer {
  readonly #options: ExaminedStoreOptions;
  #child: FileChild | undefined;

  constructor(options: ExaminedStoreOptions) {
    this.#options = options;
  }

  sqlite(): ReturnType<StoreExaminer['sqlite']> {
    return this.#ask('sqlite', []);
  }

  registry(): ReturnType<StoreExaminer['registry']> {
    return this.#ask('registry', []);
  }

  folders(nowMs: number): ReturnType<StoreExaminer['folders']> {
    return this.#ask('folders', [nowMs]);
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    child?.kill();
    await child?.gone;
  }

  async #ask<Name extends keyof Operations>(
    name: Name,
    params: Parameters<Operations[Name]>,
  ): Promise<Examined<ReturnType<Operations[Name]>>> {
    const { dataDir, childEntry, deadlineMs } = this.#options;
    const child = (this.#child ??= new FileChild({ entry: childEntry, argument: resolve(dataDir), deadlineMs }));
    try {
      await child.ready;
    } catch (error) {
      this.#child = undefined;
      return { kind: 'failed', detail: error instanceof Error ? error.message : String(error), code: undefined };
    }
    const end = await child.call(name, params);
    switch (end.kind) {
      case 'result':
        return { kind: 'done', value: end.value as ReturnType<Operations[Name]> };
      case 'fault':
        return { kind: 'failed', detail: end.fault.message, code: end.fault.code };
      case 'killed':
        this.#child = undefined;
        return { kind: 'failed', detail: `it was given up (${end.detail})`, code: undefined };
      case 'died':
        this.#child = undefined;
        return { kind: 'failed', detail: end.detail, code: undefined };
    }
  }
}
