import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { armCrashPoints, RUN_FILES } from './crash-points.js';

// A file worker that may be killed at a write, with its host.

const { dataDir } = JSON.parse(process.argv[2] ?? '{}') as { readonly dataDir: string };
const folder = join(dataDir, '..');
armCrashPoints({ folder, at: Number(readFileSync(join(folder, RUN_FILES.at), 'utf8')) });
await import('../../src/store/worker/child.js');
