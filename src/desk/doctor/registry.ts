import type { Examined, RegistryCondition } from '../../ports/examination.js';
import type { NoticeRecord } from '../../ports/notices.js';
import type { Registry, RegistryTotals } from '../../ports/registry.js';
import { readLastSweep, readRuntimeKind } from '../facts.js';
import type { Finding } from './finding.js';
import { counted, listed, ok, problem, warning } from './finding.js';

const NOTICES_READ = 1_000;

export function registryFinding(examined: Examined<RegistryCondition>): Finding {
  const restore =
    'stop the daemon, keep a copy of registry.db*, and restore them from a backup (docs/operations.md, Backup)';
  if (examined.kind === 'done') {
    const { bytes, complaints } = examined.value;
    if (complaints.length === 0) return ok(`sound, ${Math.ceil(bytes / 1024)} KiB`);
    return problem(
      `damaged: ${complaints[0] ?? ''}${complaints.length > 1 ? `, ${complaints.length} such` : ''}`,
      restore,
    );
  }
  const { detail } = examined;
  if (/is damaged|malformed|not a database|SQLITE_(CORRUPT|NOTADB)/i.test(detail)) return problem(detail, restore);
  if (/no permission|unable to open|EACCES|EPERM/i.test(detail)) {
    return problem(detail, 'run this as the user that owns the data dir, or look at the modes of registry.db*');
  }
  if (/no space/i.test(detail)) return problem(detail, 'free some space on the disk of the data dir');
  if (/given up/.test(detail))
    return warning(
      `not checked: ${detail}`,
      'check it while no daemon runs: "sqlite3 registry.db \'PRAGMA quick_check\'"',
    );
  return problem(`it cannot be checked: ${detail}`, 'try again; if it stays so, look at registry.db with "sqlite3"');
}

/** What of the registry the other checks go by. */
export interface Facts {
  readonly totals: RegistryTotals;
  readonly notices: readonly NoticeRecord[];
  readonly recordedRuntime: string | undefined;
  readonly lastRoundMs: number | undefined;
}

export function readFacts(registry: Registry): Facts {
  return {
    totals: registry.totals(),
    notices: registry.openNotices(NOTICES_READ),
    recordedRuntime: readRuntimeKind(registry) ?? undefined,
    lastRoundMs: readLastSweep(registry)?.startedAtMs,
  };
}

export function sessionsFinding({ sessions }: RegistryTotals): Finding {
  const { active, suspended, closed, held, quarantined } = sessions;
  const wrong = [...(held > 0 ? [`${held} held`] : []), ...(quarantined > 0 ? [`${quarantined} quarantined`] : [])];
  if (wrong.length === 0) return ok(`${active} active, ${suspended} suspended, ${closed} closed`);
  return warning(
    `${wrong.join(', ')} of ${counted(active + suspended + closed, 'session')}: nothing is started for them`,
    'see which and why with "nightporter session list" and "session show GROUP/SESSION", mend the cause, then "nightporter session release GROUP/SESSION"',
  );
}

export function noticesFinding(notices: readonly NoticeRecord[]): Finding {
  if (notices.length === 0) return ok('none open');
  const many = notices.length >= NOTICES_READ ? `${NOTICES_READ} or more` : String(notices.length);
  const kinds = [...new Set(notices.map(({ kind }) => kind))];
  return warning(
    `${many} open: ${listed(kinds)}`,
    'read them with "nightporter status"; they go when their cause does',
  );
}

export function deadLettersFinding({ messages }: RegistryTotals): Finding {
  if (messages.failed === 0) return ok('none');
  return warning(
    `${counted(messages.failed, 'message')} ended as dead letters`,
    'see why with "nightporter dead list"',
  );
}
