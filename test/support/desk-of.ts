import type { Desk } from '../../src/desk/desk.js';
import { createLog } from '../../src/observe/logs.js';
import { StagingFolder } from '../../src/store/staging.js';
import { systemRandom } from '../../src/system.js';
import type { TestPorter } from './porter.js';

/** The desk of a porter: what operators ask for goes to the same ports and rounds. */
export function deskOf(p: TestPorter): Desk {
  const { messageMaxBytes, timezone, attachmentMaxBytes, attachmentsMax } = p.settings;
  return {
    ...p.ports,
    rounds: p.rounds,
    upkeep: p.upkeep,
    runtime: null,
    staging: new StagingFolder(p.dataDir),
    random: systemRandom,
    settings: { dataDir: p.dataDir, messageMaxBytes, timezone, attachmentMaxBytes, attachmentsMax },
    log: createLog('silent'),
    requestStop: () => undefined,
  };
}
