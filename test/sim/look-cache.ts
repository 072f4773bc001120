import { lstatSync } from 'node:fs';
import type { FilesLook, FilesOutcome } from '../../src/ports/session-files.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import type { FilesCall } from '../support/in-process-files.js';
import type { World } from './world.js';

interface Known {
  readonly version: string | null;
  readonly clockJumps: number;
  readonly nowMs: number;
  readonly look: FilesLook;
}

/**
 * Files that nobody wrote to read the same: most looks of a simulation are of such. Only the heartbeat is read anew, and
 * everything as soon as a message became due or the clock was set.
 */
export class LookCache {
  readonly #world: World;
  readonly #known = new Map<SessionAddress, Known>();

  constructor(world: World) {
    this.#world = world;
  }

  read<T>({ session, params }: FilesCall, work: () => T): T {
    const [, nowMs, , replays] = params as readonly [unknown, number, boolean, readonly unknown[]];
    if (session === null || replays.length > 0) return work();
    const version = this.#world.version(session);
    const { clockJumps } = this.#world;
    const known = this.#known.get(session);
    if (known?.version === version && known.clockJumps === clockJumps && isStillSo(known, nowMs)) {
      return { kind: 'ok', ...this.#withHeartbeat(session, known.look) } as T;
    }
    const outcome = work();
    const found = outcome as FilesOutcome<FilesLook>;
    if (found.kind === 'ok') this.#known.set(session, { version, clockJumps, nowMs, look: found });
    else this.#known.delete(session);
    return outcome;
  }

  #withHeartbeat(session: SessionAddress, look: FilesLook): FilesLook {
    const stats = lstatSync(this.#world.paths(session).heartbeat, { throwIfNoEntry: false });
    if (stats === undefined) return { ...look, heartbeatMtimeMs: null };
    const heartbeatMtimeMs = Math.floor(stats.mtimeMs);
    return { ...look, heartbeatMtimeMs, lastActiveMs: Math.max(look.lastActiveMs ?? 0, heartbeatMtimeMs) };
  }
}

function isStillSo({ nowMs: beforeMs, look }: Known, nowMs: number): boolean {
  const { oldestDueAtMs, nextDueAtMs } = look.due;
  if (nowMs < beforeMs || (oldestDueAtMs !== null && oldestDueAtMs >= beforeMs)) return false;
  return nextDueAtMs === null || nowMs < nextDueAtMs;
}
