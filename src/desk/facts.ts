import { z } from 'zod';
import type { Registry } from '../ports/registry.js';
import type { SweepReport } from '../ports/rounds.js';

/** Registry facts that the daemon leaves for those who ask when it does not run. */
export const RUNTIME_FACT = 'runtime';
/** JSON of a SweepReport without its actions. */
export const LAST_SWEEP_FACT = 'last_sweep';

const LAST_SWEEP = z.object({
  startedAtMs: z.number(),
  durationMs: z.number(),
  swept: z.number(),
  skipped: z.number(),
  errors: z.number(),
});
const RUNTIME = z.union([z.string(), z.object({ kind: z.string() }).transform(({ kind }) => kind)]);

export function readLastSweep(registry: Registry): Omit<SweepReport, 'actions'> | null {
  return LAST_SWEEP.safeParse(parsed(registry.readFact(LAST_SWEEP_FACT))).data ?? null;
}

/** Bare (`docker`) or as JSON (`"docker"`, `{"kind": "docker"}`). */
export function readRuntimeKind(registry: Registry): string | null {
  const text = registry.readFact(RUNTIME_FACT);
  return RUNTIME.safeParse(parsed(text) ?? text).data ?? null;
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
