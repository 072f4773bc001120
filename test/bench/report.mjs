import { loadavg } from 'node:os';

/** Middle of the values; of an even number the upper one. */
export function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** Calls each side in turn, so that what else the machine does meets all of them alike. Medians in microseconds per call. */
export function compare(sides, { rounds, calls }) {
  const samples = Object.fromEntries(Object.keys(sides).map((name) => [name, { cpuUs: [], wallUs: [] }]));
  for (const work of Object.values(sides)) for (let call = 0; call < calls; call += 1) work();
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, work] of Object.entries(sides)) {
      const cpu = process.cpuUsage();
      const began = performance.now();
      for (let call = 0; call < calls; call += 1) work();
      const wallMs = performance.now() - began;
      const { user, system } = process.cpuUsage(cpu);
      samples[name].cpuUs.push((user + system) / calls);
      samples[name].wallUs.push((wallMs * 1_000) / calls);
    }
  }
  return Object.fromEntries(
    Object.entries(samples).map(([name, { cpuUs, wallUs }]) => [
      name,
      { cpuUs: median(cpuUs), wallUs: median(wallUs) },
    ]),
  );
}

export function title(text) {
  print(`\n${text} (load ${loadavg()[0].toFixed(1)})`);
}

export function row(what, value, target = '') {
  print(`  ${what.padEnd(58)} ${value}${target === '' ? '' : `   [target ${target}]`}`);
}

export function print(text) {
  process.stdout.write(`${text}\n`);
}

export const us = (value) => `${value.toFixed(1)} us`;
export const ms = (value) => `${value.toFixed(1)} ms`;
export const ratio = (one, other) => `${(one / other).toFixed(2)} x`;
