import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

/** Where the shim writes its runner's output: two files that take turns, so that the end is always kept. */
export class BoundedOutput {
  readonly #file: string;
  readonly #older: string;
  readonly #maxBytes: number;
  #fd: number | undefined;
  #bytes = 0;

  constructor(paths: { readonly file: string; readonly older: string; readonly maxBytes: number }) {
    this.#file = paths.file;
    this.#older = paths.older;
    this.#maxBytes = paths.maxBytes;
  }

  /** Blocks until written, which slows a runner that prints too fast. A full disk loses output, never the runner. */
  write(chunk: Uint8Array): void {
    try {
      let rest = chunk;
      while (rest.length > 0) {
        const fd = this.#open();
        const written = writeSync(fd, rest, 0, Math.min(rest.length, this.#maxBytes - this.#bytes));
        this.#bytes += written;
        rest = rest.subarray(written);
      }
    } catch {
      this.close();
    }
  }

  close(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    if (this.#fd !== undefined && this.#bytes >= this.#maxBytes) {
      this.close();
      renameSync(this.#file, this.#older);
    }
    if (this.#fd === undefined) {
      this.#fd = openSync(this.#file, 'a', 0o600);
      this.#bytes = fstatSync(this.#fd).size;
      if (this.#bytes >= this.#maxBytes) return this.#open();
    }
    return this.#fd;
  }
}
