import { deskSettings } from '../../src/daemon/desk-settings.js';
import type { Desk } from '../../src/desk/desk.js';
import { createLog } from '../../src/observe/logs.js';
import { StagingFolder } from '../../src/store/staging.js';
import { systemRandom } from '../../src/system.js';
import type { TestPorter } from './porter.js';

/** The desk of a porter: what operators ask for goes to the same ports and rounds. */
export function deskOf(p: TestPorter): Desk {
  return {
    ...p.ports,
    rounds: p.rounds,
    upkeep: p.upkeep,
    runtime: null,
    nanoclaw: null,
    staging: new StagingFolder(p.dataDir),
    random: systemRandom,
    settings: () => deskSettings(p.dataDir, p.settings),
    reloadSettings: null,
    log: createLog('silent'),
    requestStop: () => undefined,
  };
}
