import type { CollectOptions, GcReport, Upkeep } from '../ports/upkeep.js';
import { archiveFolders } from './archive-folders.js';
import { ClockTrust } from './clock-trust.js';
import { collectSessions } from './collect-sessions.js';
import { expireConversations } from './expire-conversations.js';
import { expireNotices } from './expire-notices.js';
import { expireResumeIds } from './expire-resume-ids.js';
import { Foreseen } from './foreseen.js';
import type { Job } from './job.js';
import { createJob } from './job.js';
import type { Keeper, KeeperPorts } from './keeper.js';
import { pruneArtifacts } from './prune-artifacts.js';
import { pruneMessages } from './prune-messages.js';
import { vacuum } from './vacuum.js';

/** All jobs together: each by itself in the daemon, one after the other where an operator asks for it. */
export class PorterUpkeep implements Upkeep {
  readonly #jobs: readonly Job[];
  /** Never by itself. */
  readonly #archive: Job;

  constructor(ports: KeeperPorts) {
    const keeper: Keeper = { ...ports, clockTrust: new ClockTrust(ports) };
    const { clock, log } = keeper;
    const work: Parameters<typeof createJob>[0]['work'] = (pass) => archiveFolders(keeper, pass);
    this.#archive = createJob({
      name: 'archive-folders',
      clock,
      log,
      firstAfterMs: Infinity,
      everyMs: () => Infinity,
      work,
    });
    this.#jobs = [
      // First: what the others set free cannot be foreseen by a dry run. It is given back within the hour.
      vacuum(keeper),
      collectSessions(keeper),
      expireConversations(keeper),
      expireNotices(keeper),
      expireResumeIds(keeper),
      pruneMessages(keeper),
      pruneArtifacts(keeper),
    ];
  }

  start(): void {
    for (const job of this.#jobs) job.start();
  }

  /** Other settings are in effect. */
  settingsChanged(): void {
    for (const job of this.#jobs) job.settingsChanged();
  }

  /** Lets what is under way finish the session that it is at. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([...this.#jobs, this.#archive].map((job) => job.stop()));
  }

  async collect({ dryRun, archive = false }: CollectOptions): Promise<GcReport> {
    const reports: GcReport[] = [];
    const foreseen = new Foreseen();
    const jobs = archive ? [...this.#jobs, this.#archive] : this.#jobs;
    for (const job of jobs) reports.push(await job.tick({ dryRun, foreseen }));
    const kept: Record<string, number> = {};
    for (const [reason, count] of reports.flatMap((report) => Object.entries(report.kept))) {
      kept[reason] = (kept[reason] ?? 0) + count;
    }
    return {
      actions: reports.flatMap(({ actions }) => actions),
      kept,
      failures: reports.flatMap(({ failures }) => failures),
    };
  }
}
