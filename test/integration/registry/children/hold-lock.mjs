// Takes the host lock, says what it got, and stays.
const [, , module, dataDir] = process.argv;
const { acquireHostLock } = await import(module);
const { writeSync } = await import('node:fs');
const startedAt = performance.now();
const lock = acquireHostLock(dataDir);
writeSync(1, `${JSON.stringify({ ...lock, tookMs: performance.now() - startedAt })}\n`);
if (lock.kind === 'held') setInterval(() => undefined, 1_000);
