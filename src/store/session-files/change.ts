import type { RestFailure, SettleStep, Written } from '../../ports/session-files.js';
import { NO_OUTBOUND, readAcks, type OutboundFacts } from './acks.js';
import type { Shape } from './check-schema.js';
import { writeInbound, type Upgraded } from './inbound.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import { readInboundFacts } from './look.js';
import { applyChanges, failRest, readTotals, readUnfinished, StaleChange } from './messages.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import { readOutboundFile } from './outbound.js';
import type { SessionPaths } from './session-paths.js';
import { countSeries, countStates, summarizeDue } from './summaries.js';

type Changes = Pick<SettleStep, 'changes' | 'rest'>;

/** Writes changes to inbound.db, all or none. Acks are read first, so that a busy outbound.db changes nothing. */
export function changeMessages(
  settings: FilesSettings,
  paths: SessionPaths,
  changes: Changes,
  nowMs: number,
): Written & Partial<Upgraded> {
  checkFolders(paths);
  if (inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind !== 'database') return { written: false };
  const { unfinished } = readInboundFacts(settings, paths, nowMs);
  const { acks } =
    readOutboundFile(settings, paths, (database, shape) => readAcks(database, shape, unfinished)) ?? NO_OUTBOUND;
  return writeChanges(settings, paths, changes, acks, nowMs);
}

/** One transaction on inbound.db; the summary is of what it leaves, with the acks given. */
export function writeChanges(
  settings: FilesSettings,
  paths: SessionPaths,
  { changes, rest = null }: Changes,
  acks: OutboundFacts['acks'],
  nowMs: number,
): Written & Partial<Upgraded> {
  try {
    return writeInbound(settings, paths, (database, shape) => {
      if (changes.length > 0) database.transaction(applyAll).immediate(database, changes, rest, nowMs);
      return summaryOf(database, shape, acks, nowMs);
    });
  } catch (error) {
    if (error instanceof StaleChange) return { written: false };
    throw error;
  }
}

/** What ends the rest of a session is the end of one of its messages. */
function applyAll(
  database: SqliteDatabase,
  changes: SettleStep['changes'],
  rest: RestFailure | null,
  nowMs: number,
): void {
  applyChanges(database, changes);
  if (rest !== null) failRest(database, rest, nowMs);
}

function summaryOf(
  database: SqliteDatabase,
  shape: Shape,
  acks: OutboundFacts['acks'],
  nowMs: number,
): Written & { readonly written: true } {
  const unfinished = readUnfinished(database, shape, nowMs);
  return {
    written: true,
    due: summarizeDue(unfinished, acks, nowMs),
    liveSeries: countSeries(unfinished),
    counts: countStates(readTotals(database, shape).finished, unfinished, acks),
  };
}
