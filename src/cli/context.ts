import type { DeskApi } from '../desk/api.js';
import type { Host, HostOptions } from './host.js';

/** What a command works with. */
export interface CommandContext extends HostOptions {
  readonly json: boolean;
  readonly output: Output;
  /** Aborted when nobody reads our output any more. */
  readonly readerGone: AbortSignal;
  /** From the first call on, Ctrl-C and TERM abort this and no longer end the process. */
  readonly interruptions: () => AbortSignal;
  readonly input: AsyncIterable<Uint8Array>;
  /** Somebody sits at the input and can be asked. */
  readonly isTerminal: boolean;
  readonly host: () => Promise<Host>;
}

export interface Output {
  /** Waits where the reader is slow. */
  write(text: string): Promise<void>;
  /** A line on stderr. */
  warn(text: string): void;
  /** Replaces the line of progress on stderr; the empty text takes it away. Nothing but a terminal shows it so. */
  progress(text: string): void;
  /** Whether somebody looks at stderr. */
  readonly isWatched: boolean;
  /** Width of the terminal, or 80. */
  readonly columns: number;
}

/** A desk to ask, wherever it is. */
export interface DeskConnection {
  readonly api: DeskApi;
  /** Whether a daemon answers. */
  readonly daemon: boolean;
  close(): Promise<void>;
}
