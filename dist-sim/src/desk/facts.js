import { z } from 'zod';
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
export function readLastSweep(registry) {
    return LAST_SWEEP.safeParse(parsed(registry.readFact(LAST_SWEEP_FACT))).data ?? null;
}
/** Bare (`docker`) or as JSON (`"docker"`, `{"kind": "docker"}`). */
export function readRuntimeKind(registry) {
    const text = registry.readFact(RUNTIME_FACT);
    return RUNTIME.safeParse(parsed(text) ?? text).data ?? null;
}
function parsed(text) {
    if (text === undefined)
        return undefined;
    try {
        return JSON.parse(text);
    }
    catch {
        return undefined;
    }
}
//# sourceMappingURL=facts.js.map