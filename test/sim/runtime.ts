import { RuntimeUnavailable } from '../../src/protocol/errors.js';
import type {
  Container,
  ContainerEnd,
  ContainerId,
  ContainerSpec,
  Runtime,
  RuntimeEvent,
  RuntimeInfo,
  StartResult,
  StopResult,
} from '../../src/ports/runtime.js';
import type { SimEngine } from './engine.js';
import type { SimHost } from './host.js';
import type { World } from './world.js';

type Fate = 'answers' | 'loses_call' | 'loses_answer' | 'fails_after';

/**
 * A host's way to the simulated engine: calls take time, are lost on the way or on the way back. What has arrived at
 * the engine is carried out although its host is dead.
 */
export class SimRuntime implements Runtime {
  readonly kind = 'fake';
  readonly #world: World;
  readonly #host: SimHost;
  readonly #engine: SimEngine;

  constructor(world: World, host: SimHost, engine: SimEngine) {
    this.#world = world;
    this.#host = host;
    this.#engine = engine;
  }

  start(spec: ContainerSpec): Promise<StartResult> {
    return this.#call('start', () => this.#engine.start(spec));
  }

  stop(id: ContainerId, graceMs: number): Promise<StopResult> {
    this.#engine.truth.stopIssued(id, this.#host.registry);
    return this.#call('stop', () => this.#engine.stop(id, graceMs), graceMs);
  }

  harvest(container: Container): Promise<ContainerEnd> {
    return this.#call('harvest', () => this.#engine.runtime.harvest(container));
  }

  remove(id: ContainerId): Promise<void> {
    this.#engine.truth.removeIssued(id, this.#host.registry);
    return this.#call('remove', () => this.#engine.remove(id));
  }

  list(): Promise<readonly Container[]> {
    return this.#call('list', () => this.#engine.list());
  }

  inspect(name: string): Promise<Container | undefined> {
    return this.#call('inspect', () => this.#engine.runtime.inspect(name));
  }

  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    for await (const event of this.#engine.runtime.events(signal)) {
      if (!this.#engine.areEventsSilent) yield event;
    }
  }

  logs(id: ContainerId, maxBytes: number): Promise<string> {
    return this.#call('logs', () => this.#engine.runtime.logs(id, maxBytes));
  }

  ping(): Promise<RuntimeInfo> {
    return this.#call('ping', () => this.#engine.runtime.ping());
  }

  prepare(): Promise<void> {
    return this.#call('prepare', () => this.#engine.runtime.prepare());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #call<T>(name: string, work: () => Promise<T>, extraMs = 0): Promise<T> {
    const { timeline, chance, settings } = this.#world;
    const deadlineMs = settings.runtimeDeadlineMs + extraMs;
    const { beforeMs, afterMs, fate } = this.#draw();
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      const answer = (delayMs: number, give: () => void): void => {
        timeline.at(delayMs, this.#host, () => {
          if (isAnswered) return;
          isAnswered = true;
          give();
        });
      };
      const unavailable = (why: string) => () => {
        this.#world.engineFailedMs = timeline.monotonicMs;
        this.#world.note('engine call fails', () => `${name}: ${why}`);
        reject(new RuntimeUnavailable(`${name}: ${why}`));
      };
      answer(deadlineMs, unavailable(`no answer within ${String(deadlineMs)} ms`));
      if (fate === 'loses_call') return;
      timeline.at(beforeMs, null, () => {
        work().then(
          (value) => {
            if (fate === 'loses_answer') return;
            if (fate === 'fails_after') answer(afterMs, unavailable('500: it happened all the same'));
            else
              answer(afterMs, () => {
                resolve(value);
              });
          },
          (error: unknown) => {
            if (error instanceof RuntimeUnavailable) this.#world.engineFailedMs = timeline.monotonicMs;
            answer(chance.int(0, 5), () => {
              reject(error instanceof Error ? error : new Error(String(error)));
            });
          },
        );
      });
    });
  }

  #draw(): { readonly beforeMs: number; readonly afterMs: number; readonly fate: Fate } {
    const { chance, habits, isQuiet } = this.#world;
    if (isQuiet) return { beforeMs: 20, afterMs: 5, fate: 'answers' };
    const isSlow = chance.is(this.#engine.isSlow ? Math.max(0.5, habits.engineSlow) : habits.engineSlow / 4);
    const fate: Fate = chance.is(habits.engineLoses)
      ? chance.pick(['loses_call', 'loses_answer', 'fails_after', 'fails_after'])
      : 'answers';
    return {
      beforeMs: isSlow ? chance.int(200, 14_000) : chance.int(1, 120),
      afterMs: isSlow ? chance.int(0, 14_000) : chance.int(0, 20),
      fate,
    };
  }
}
