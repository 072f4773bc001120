import type { SessionAddress } from '../../src/protocol/address.js';
import type { Clock } from '../../src/ports/clock.js';
import type {
  Container,
  ContainerEnd,
  ContainerId,
  ContainerSpec,
  InstallId,
  RuntimeEvent,
} from '../../src/ports/runtime.js';

export type FakeClock = Pick<Clock, 'now' | 'after'>;

/** What a started container does by itself; without more it runs until TERM and exits with 0. */
export interface FakeProgram {
  readonly output?: string | Uint8Array;
  readonly ignoresTerm?: boolean;
  /** Exits right after its start. */
  readonly exit?: FakeExit;
}

export interface FakeExit {
  /** 0 unless given or ended by a signal. */
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  readonly oomKilled?: boolean;
  readonly output?: string;
}

export interface FakeStart {
  readonly spec: ContainerSpec;
  readonly atMs: number;
}

/** A container that does not run any more, and who ended it. */
export interface FakeEnd {
  readonly id: ContainerId;
  readonly session: SessionAddress | undefined;
  readonly epoch: number;
  readonly by: 'itself' | 'stop' | 'remove' | 'engine';
}

/** All of an engine but what tests control; plain JSON. */
export interface FakeSnapshot {
  readonly containers: readonly {
    readonly container: Container;
    readonly install: InstallId;
    readonly output: string;
    readonly end: FakeContainer['end'] | null;
  }[];
  readonly started: readonly FakeStart[];
  readonly ended: readonly FakeEnd[];
  readonly ids: number;
}

export type FakeCall = 'start' | 'stop' | 'harvest' | 'remove' | 'list' | 'inspect' | 'logs' | 'ping' | 'prepare';

export interface FakeContainer {
  container: Container;
  readonly install: InstallId;
  readonly program: FakeProgram;
  output: Buffer;
  end: Omit<ContainerEnd, 'output'> | undefined;
}

export interface Subscriber {
  readonly install: InstallId;
  readonly queue: RuntimeEvent[];
  ended: boolean;
  wake: () => void;
}

export const OUTPUT_LIMIT_BYTES = 65_536;

/** An engine in memory, shared by all runtimes opened on it. */
export class FakeEngine {
  readonly byName = new Map<string, FakeContainer>();
  readonly started: FakeStart[] = [];
  readonly ended: FakeEnd[] = [];
  readonly calls: { readonly call: FakeCall; readonly atMs: number }[] = [];
  readonly subscribers = new Set<Subscriber>();
  readonly unstoppable = new Set<SessionAddress>();
  readonly hung = new Map<FakeCall, Promise<void>>();
  readonly failing = new Map<FakeCall, Error[]>();
  readonly refused = new Map<SessionAddress, string>();
  readonly programs = new Map<SessionAddress, FakeProgram>();
  readonly clock: FakeClock;
  readonly program: (spec: ContainerSpec) => FakeProgram;
  isDown = false;
  lie: ((containers: readonly Container[]) => readonly Container[]) | undefined;
  ids = 0;

  constructor(clock: FakeClock, program: (spec: ContainerSpec) => FakeProgram) {
    this.clock = clock;
    this.program = program;
  }

  find(id: ContainerId, install: InstallId): FakeContainer | undefined {
    return [...this.byName.values()].find((one) => one.container.id === id && one.install === install);
  }

  exit(
    one: FakeContainer,
    { exitCode, signal = null, oomKilled = false, output = '' }: FakeExit,
    by: FakeEnd['by'] = 'itself',
  ): void {
    const { id, session, epoch, state } = one.container;
    if (state !== 'running') return;
    this.ended.push({ id, session, epoch, by });
    one.output = Buffer.concat([one.output, Buffer.from(output)]);
    const code = exitCode === undefined ? (signal === null ? 0 : null) : exitCode;
    one.end = { exitCode: code, signal, oomKilled, finishedAtMs: this.clock.now() };
    one.container = { ...one.container, state: 'exited' };
    this.emit('exited', one);
  }

  emit(kind: RuntimeEvent['kind'], { container: { session, epoch }, install }: FakeContainer): void {
    if (session === undefined) return;
    for (const subscriber of this.subscribers) {
      if (subscriber.install !== install) continue;
      subscriber.queue.push({ kind, session, epoch });
      subscriber.wake();
    }
  }

  snapshot(): FakeSnapshot {
    const containers = [...this.byName.values()].map(({ container, install, output, end = null }) => ({
      ...{ container, install, end },
      output: output.toString('base64'),
    }));
    return { containers, started: [...this.started], ended: [...this.ended], ids: this.ids };
  }

  restore({ containers, started, ended, ids }: FakeSnapshot): void {
    for (const { container, install, output, end } of containers) {
      const one = { container, install, program: {}, output: Buffer.from(output, 'base64'), end: end ?? undefined };
      this.byName.set(container.name, one);
    }
    this.started.push(...started);
    this.ended.push(...ended);
    this.ids = ids;
  }

  endStreams(): void {
    for (const subscriber of this.subscribers) {
      subscriber.ended = true;
      subscriber.wake();
    }
    this.subscribers.clear();
  }
}

export async function* drain(subscriber: Subscriber, closed: () => void): AsyncIterable<RuntimeEvent> {
  try {
    for (;;) {
      const event = subscriber.queue.shift();
      if (event !== undefined) yield event;
      else if (subscriber.ended) return;
      else {
        await new Promise<void>((resolve) => {
          subscriber.wake = resolve;
        });
      }
    }
  } finally {
    closed();
  }
}

/** The end of an output in UTF-8, at most `maxBytes`. */
export function tail(output: Buffer, maxBytes: number): string {
  let text = output.subarray(-maxBytes).toString('utf8');
  while (Buffer.byteLength(text) > maxBytes) text = text.slice(1);
  return text;
}

export const machineClock: FakeClock = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
