import type { Registry } from '../../src/ports/registry.js';
import type { Ports } from './porter.js';

/** Makes a host do something in the wrong order: to see that what watches over it notices. */
export type PlantedFault = (ports: Ports) => Ports;

type Marking = Parameters<Registry['markStopping']>;

export const planted = {
  /** What belongs together is written one by one. */
  noTransactions: (ports: Ports): Ports => ({
    ...ports,
    registry: changed(ports.registry, { together: (work) => work() }),
  }),

  /** Messages leave the spool before they are in their file. */
  unspooledFirst: (ports: Ports): Ports => ({
    ...ports,
    files: changed(ports.files, {
      deliver: (session, messages) => {
        ports.registry.unspool(
          session,
          messages.map(({ id }) => id),
        );
        return ports.files.deliver(session, messages);
      },
    }),
  }),

  /** Why a container is stopped is written down when it has stopped. */
  reasonsLast: (ports: Ports): Ports => {
    const reasons: Marking[] = [];
    return {
      ...ports,
      registry: changed(ports.registry, {
        markStopping: (...marking) => {
          reasons.push(marking);
        },
      }),
      runtime: changed(ports.runtime, {
        stop: async (id, graceMs) => {
          const result = await ports.runtime.stop(id, graceMs);
          for (const marking of reasons.splice(0)) ports.registry.markStopping(...marking);
          return result;
        },
      }),
    };
  },
} satisfies Readonly<Record<string, PlantedFault>>;

function changed<T extends object>(port: T, changes: Partial<T>): T {
  return new Proxy(port, {
    get: (target, name) => {
      const member: unknown = Reflect.get(name in changes ? changes : target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
