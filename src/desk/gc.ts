import { NightporterError } from '../protocol/errors.js';
import type { CollectOptions, GcReport } from '../ports/upkeep.js';
import type { Desk } from './desk.js';
import type { GcView } from './views.js';

export type { CollectOptions, GcReport } from '../ports/upkeep.js';

/**
 * Closes, deletes and prunes what is due for it, now.
 * @throws NightporterError `unavailable` (no daemon)
 */
export async function gc(desk: Desk, options: CollectOptions): Promise<GcView> {
  if (desk.upkeep === null)
    throw new NightporterError('unavailable', 'no daemon runs here that could collect anything');
  return viewOfGc(await desk.upkeep.collect(options), options.dryRun);
}

export function viewOfGc({ actions, kept, failures }: GcReport, dryRun: boolean): GcView {
  const counts: Record<string, number> = { actions: actions.length, bytes: 0 };
  for (const { action, bytes } of actions) {
    counts[action] = (counts[action] ?? 0) + 1;
    counts['bytes'] = (counts['bytes'] ?? 0) + (bytes ?? 0);
  }
  return { dryRun, actions, counts: { ...counts, kept: sum(Object.values(kept)) }, kept, failures };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
