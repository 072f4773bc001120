// A file worker that may be killed at a write.
import { armCrashPoints } from './crash-points.mjs';

const { dataDir } = JSON.parse(process.argv[2]);
armCrashPoints(`${dataDir}/..`);
await import('../../../../dist/src/store/worker/child.js');
