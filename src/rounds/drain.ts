import type { SessionAddress } from '../protocol/address.js';
import type { DrainReport } from '../ports/rounds.js';
import type { Porter } from './porter.js';
import { Stops } from './stop-container.js';

const POLL_MS = 100;

/** Waits for running turns, stops what is without a claim (the plan does), at the end of the time everything. */
export async function drainFleet(porter: Porter): Promise<DrainReport> {
  const { clock, fleet, log } = porter;
  const deadlineMs = clock.monotonic() + porter.settings().drainTimeoutMs;
  const atStart = fleet.occupied();
  log.info({ running: atStart }, 'draining');
  while (fleet.occupied() > 0 && clock.monotonic() < deadlineMs) {
    for (const { session } of fleet.running()) porter.hint(session);
    await pause(porter, POLL_MS);
  }
  const interrupted: SessionAddress[] = [];
  const stops = new Stops(porter);
  for (const { session, one } of fleet.running()) {
    interrupted.push(session);
    await stops.stop(session, one, 'drained', 'the turn was not finished in time');
  }
  await porter.operations.settled();
  log.info({ stopped: atStart, interrupted: interrupted.length }, 'drained');
  return { stopped: atStart, interrupted };
}

function pause(porter: Porter, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    porter.clock.after(delayMs, resolve);
  });
}
