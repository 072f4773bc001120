/** A batch is one commit: these bound for how long it holds others up, and what it takes of memory. */
export const BATCH_MAX_BYTES = 64 * 1024 * 1024;
export const BATCH_MAX_LINES = 100_000;
//# sourceMappingURL=batch-limits.js.map