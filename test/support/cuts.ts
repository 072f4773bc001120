import { DiskFull, RuntimeUnavailable } from '../../src/protocol/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type { AcceptBatch } from '../../src/ports/registry.js';
import type { RuntimeEvent } from '../../src/ports/runtime.js';
import type { Ports } from './porter.js';

/**
 * What becomes of one call of a port:
 * - `thrown`: an error instead of it; the host goes on
 * - `unanswered`: carried out, but the host is told of an error (files: busy); it goes on. Not of the registry
 * - `died_before`, `died_after`: the host is gone before or after it was carried out, and never hears of it
 */
export type CutWay = 'thrown' | 'unanswered' | 'died_before' | 'died_after';

export interface Cut {
  /** Counted from 1 over all ports. */
  readonly at: number;
  readonly way: CutWay;
}

type PortName = 'registry' | 'files' | 'runtime';

/** Thrown into a host that is dead, so that a synchronous call does not go on; nobody hears it. */
class HostDied extends Error {
  constructor() {
    super('the host is dead');
  }
}

/** Counts the calls of a host's ports, and cuts one of them. A dead host's calls do nothing, its timers do not ring. */
export class Cuts {
  readonly #cut: Cut | null;
  readonly #watch: (when: 'before' | 'after', call: number) => void;
  /** `port.method`, in order. */
  readonly calls: string[] = [];
  /** Resolves when the host has died. */
  readonly died: Promise<void>;
  #die: () => void = () => undefined;
  #isDead = false;
  #isOver = false;
  #hasCut = false;

  /** `watch` sees every call before and after it is carried out. */
  constructor(cut: Cut | null, watch: (when: 'before' | 'after', call: number) => void = () => undefined) {
    this.#cut = cut;
    this.#watch = watch;
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get hasCut(): boolean {
    return this.#hasCut;
  }

  /** What the host does from now on is not counted any more. */
  over(): void {
    this.#isOver = true;
  }

  readonly ports = ({ registry, files, runtime, clock }: Ports): Ports => ({
    registry: this.#counted(registry, (method, work) => {
      const answer = this.#now('registry', method, work);
      if (method !== 'beginBatch') return answer;
      return this.#counted(answer as AcceptBatch, (of, commit) => this.#now('registry', `batch.${of}`, commit));
    }),
    files: this.#counted(files, (method, work) => this.#later('files', method, work)),
    runtime: this.#counted(runtime, (method, work) =>
      method === 'events' ? this.#events(work) : this.#later('runtime', method, work),
    ),
    clock: this.#clock(clock),
  });

  #counted<T extends object>(port: T, call: (method: string, work: () => unknown) => unknown): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return (...args: readonly unknown[]) =>
          call(String(name), () => Reflect.apply(member, target, args) as unknown);
      },
    });
  }

  /** A call that answers at once. */
  #now(port: PortName, method: string, work: () => unknown): unknown {
    if (this.#isOver) return work();
    const { way, call } = this.#next(port, method);
    if (way === undefined) {
      const answer = work();
      this.#watch('after', call);
      return answer;
    }
    if (way === 'thrown') throw faultOf(port, method);
    if (way === 'unanswered') throw new Error(`${port} always answers`);
    if (way === 'died_after') work();
    this.#end();
    throw new HostDied();
  }

  async #later(port: PortName, method: string, work: () => unknown): Promise<unknown> {
    if (this.#isDead) return never();
    if (this.#isOver) return work();
    const { way, call } = this.#next(port, method);
    if (way === 'thrown') throw faultOf(port, method);
    if (way === 'died_before') return this.#endForGood();
    const answer = await work();
    this.#watch('after', call);
    // It may have died of another call meanwhile.
    if (this.isDead || way === 'died_after') return this.#endForGood();
    if (way !== 'unanswered') return answer;
    if (port === 'files' && method !== 'signatures') return { kind: 'busy', file: 'inbound.db', detail: 'no answer' };
    throw faultOf(port, method);
  }

  async *#events(work: () => unknown): AsyncIterable<RuntimeEvent> {
    for await (const event of work() as AsyncIterable<RuntimeEvent>) {
      if (this.#isDead) await never();
      yield event;
    }
  }

  #clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (delayMs, callback) =>
        clock.after(delayMs, () => {
          if (this.#isDead) return;
          try {
            callback();
          } catch (error) {
            if (!(error instanceof HostDied)) throw error;
          }
        }),
    };
  }

  #next(port: PortName, method: string): { readonly call: number; readonly way: CutWay | undefined } {
    if (this.#isDead) throw new HostDied();
    const call = this.calls.push(`${port}.${method}`);
    this.#watch('before', call);
    if (call !== this.#cut?.at) return { call, way: undefined };
    this.#hasCut = true;
    return { call, way: this.#cut.way };
  }

  #end(): void {
    this.#isDead = true;
    this.#die();
  }

  #endForGood(): Promise<never> {
    this.#end();
    return never();
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** As the port itself would reject: no space, or an engine that does not answer. */
function faultOf(port: PortName, method: string): Error {
  if (port === 'runtime') return new RuntimeUnavailable(`${method}: cut`);
  return new DiskFull(`no space left for ${port}.${method}: cut`);
}
