type Fields = Readonly<Record<string, unknown>>;

/** A longer line is skipped: an event that carries a file. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Splits a stream into lines and hands on those that are JSON objects; what is none is skipped. */
export class JsonLines {
  readonly #onEvent: (event: Fields) => void;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(onEvent: (event: Fields) => void) {
    this.#onEvent = onEvent;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.#extend(rest.subarray(0, end));
      this.end();
      rest = rest.subarray(end + 1);
    }
    this.#extend(rest);
  }

  /** The line under way is whole. */
  end(): void {
    const line = this.#bytes > MAX_LINE_BYTES ? '' : Buffer.concat(this.#chunks).toString('utf8');
    this.#chunks = [];
    this.#bytes = 0;
    const event = parseObject(line);
    if (event !== undefined) this.#onEvent(event);
  }

  #extend(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_LINE_BYTES) this.#chunks = [];
    else this.#chunks.push(bytes);
  }
}

function parseObject(line: string): Fields | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    // Two events that got into each other's way, or no event at all.
    return undefined;
  }
}
