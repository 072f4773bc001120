import type { SessionRecord } from '../ports/registry.js';
import type { Pass } from './job.js';
import type { Keeper } from './keeper.js';

const TURN_EVERY = 200;

/** Visits all sessions, one after the other; what fails of one is told, counted and harms no other. `what`: for the log. */
export async function eachSession(
  keeper: Keeper,
  pass: Pass,
  what: string,
  visit: (record: SessionRecord) => Promise<void>,
): Promise<void> {
  let seen = 0;
  for (const record of keeper.registry.eachSession()) {
    if (pass.isStopping()) return;
    seen += 1;
    if (seen % TURN_EVERY === 0) await keeper.supervision.turn();
    if (pass.foreseen.isDeleted(record.address)) continue;
    try {
      await visit(record);
    } catch (err) {
      pass.kept('failed');
      keeper.log.error({ err, session: record.address }, `${what} could not be pruned; they are kept`);
    }
  }
}
