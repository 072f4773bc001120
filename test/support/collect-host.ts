import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CollectBench } from './collect-bench.js';
import { armCrashPoints, RUN_FILES } from './crash-points.js';

// A host of its own process that does its upkeep once, and is killed at one of its writes.

const [, , folder = '', at = '0'] = process.argv;
writeFileSync(join(folder, RUN_FILES.host), String(process.pid));
const p = CollectBench.at(folder).open();
armCrashPoints({ folder, at: Number(at) });
await p.upkeep.collect({ dryRun: false });
await p.rounds.stop();
p.abandon();
