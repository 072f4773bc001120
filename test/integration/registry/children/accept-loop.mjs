// Accepts messages without end and names each on stdout once it is accepted.
const [, , module, dataDir] = process.argv;
const { openRegistry } = await import(module);
const { writeSync } = await import('node:fs');
const registry = openRegistry({ dataDir, mode: 'write' });
for (let n = 0; ; n += 1) {
  const message = {
    id: `m${n}`,
    kind: 'chat',
    timestampMs: n,
    processAfterMs: null,
    trigger: true,
    onWake: false,
    content: '{"text":"hello"}',
    recurrence: null,
    seriesId: null,
    timezone: null,
    occurrenceMs: null,
    missed: null,
  };
  const result = registry.accept({ session: `demo/s${n % 7}`, message, acceptedAtMs: n });
  if (result.kind !== 'accepted') throw new Error(result.kind);
  writeSync(1, `demo/s${n % 7} m${n}\n`);
}
