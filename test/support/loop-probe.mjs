// Loaded into a daemon with `NODE_OPTIONS=--import`: measures how long its event loop was held up. On SIGUSR2 it writes
// what it saw since the last time to the file named by NP_LOOP_PROBE. The time for which the kernel let the thread wait
// for a processor is the machine's and told apart; starts of processes count, and are shown besides.
import { ChildProcess } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const INTERVAL_MS = 5;
const file = process.env.NP_LOOP_PROBE;

/** For how long this thread ran, and for how long it was ready to run and did not, in all. */
const times = () =>
  readFileSync('/proc/self/schedstat', 'utf8')
    .split(' ')
    .map((ns) => Number(ns) / 1e6);

let spawning = 0;
const spawn = ChildProcess.prototype.spawn;
ChildProcess.prototype.spawn = function timedSpawn(...args) {
  const beganMs = performance.now();
  const [, waitedBefore = 0] = times();
  try {
    return spawn.apply(this, args);
  } finally {
    const [, waitedAfter = 0] = times();
    spawning += performance.now() - beganMs - (waitedAfter - waitedBefore);
  }
};

const NOTHING = { ticks: 0, longestGapMs: 0, longestBlockMs: 0, runningOfItMs: 0, longestRunMs: 0, longestSpawnMs: 0 };
let last = performance.now();
let [lastRan, lastWaited] = times();
let seen = NOTHING;

function tick() {
  const now = performance.now();
  const [ran, waited] = times();
  const gapMs = now - last - INTERVAL_MS;
  const blockMs = gapMs - (waited - lastWaited);
  seen = {
    ticks: seen.ticks + 1,
    longestGapMs: Math.max(seen.longestGapMs, gapMs),
    longestBlockMs: Math.max(seen.longestBlockMs, blockMs),
    longestRunMs: Math.max(seen.longestRunMs, ran - lastRan),
    longestSpawnMs: Math.max(seen.longestSpawnMs, spawning),
    runningOfItMs: blockMs > seen.longestBlockMs ? ran - lastRan : seen.runningOfItMs,
  };
  last = now;
  lastRan = ran;
  spawning = 0;
  lastWaited = waited;
}

if (file !== undefined) {
  setInterval(tick, INTERVAL_MS).unref();
  process.on('SIGUSR2', () => {
    tick();
    writeFileSync(`${file}.new`, JSON.stringify(seen));
    renameSync(`${file}.new`, file);
    seen = NOTHING;
  });
}
