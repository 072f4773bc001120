import { isHostReason } from '../core/reasons.js';
import type { StopReason } from '../core/reasons.js';
import type { Container } from '../ports/runtime.js';
import type { SessionAddress } from '../protocol/address.js';
import { isUp, setInFlight } from './fleet.js';
import type { Supervised } from './fleet.js';
import type { Porter } from './porter.js';

/** Asked right before a stop that depends on what the files say: whether it is still right. */
export type StopCheck = (session: SessionAddress, reason: StopReason) => Promise<boolean>;

/** TERM, grace, KILL, and confirmed gone by the runtime. Its end is a hint: the next look settles. */
export class Stops {
  readonly #porter: Porter;

  constructor(porter: Porter) {
    this.#porter = porter;
  }

  /** Begins to stop what the session runs; resolves at once. A stop already under way goes on. */
  async stop(session: SessionAddress, one: Supervised, reason: StopReason, detail: string): Promise<void> {
    const container = one.container;
    if (container === null || !isUp(container) || one.inFlight !== null) return;
    const { log, registry, gate, notices, operations, specs } = this.#porter;
    // For cause there is no grace: a runner that releases its claim on TERM would do the same turn again for ever.
    const record = registry.findSession(session);
    const graceMs = isHostReason(reason) && record !== undefined ? specs.template(record).stopGraceMs : 0;
    // Before anything is begun: where it cannot be written, nothing is.
    registry.markStopping(session, container.epoch, reason);
    setInFlight(one, 'stopping');
    log.info({ session, epoch: container.epoch, containerId: container.id, reason, detail }, 'stopping container');
    if (!isHostReason(reason)) {
      notices.raise(
        reason === 'not_claiming' ? 'not_claiming' : 'stopped',
        session,
        `the container of ${session} is stopped (${reason}): ${detail}`,
      );
    }
    operations.run('stop', async () => {
      try {
        const result = await gate.call((runtime) => runtime.stop(container.id, graceMs));
        if (result?.value.kind === 'gone') notices.settle('unstoppable', session);
        else if (isHostReason(reason)) this.#notStopped(session, container);
        if (result?.value.kind === 'still_running') this.#block(session, one, container, result.value.detail);
      } catch (err) {
        this.#block(session, one, container, err instanceof Error ? err.message : String(err));
      } finally {
        setInFlight(one, null);
        this.#porter.hint(session);
      }
    });
    return Promise.resolve();
  }

  /** It goes on: what ends it later is not the host, and is not free. */
  #notStopped(session: SessionAddress, { epoch }: Container): void {
    const { registry } = this.#porter;
    if (registry.findIncarnation(session, epoch)?.stoppedAtMs === null) registry.markStopping(session, epoch, null);
  }

  #block(session: SessionAddress, one: Supervised, { id: containerId }: Container, detail: string): void {
    one.blocked = true;
    this.#porter.log.error({ session, containerId, detail }, 'container cannot be stopped');
    this.#porter.notices.raise(
      'unstoppable',
      session,
      `the container ${containerId} of ${session} could not be stopped (${detail}); the session is blocked until the runtime says that it is gone: end it by hand`,
    );
  }
}
