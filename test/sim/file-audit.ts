import Database from 'better-sqlite3';
import { existsSync } from 'node:fs';
import type { MessageId, SessionAddress } from '../../src/protocol/address.js';
import { auditSeries } from './series-audit.js';
import type { MessageTruth, Truth } from './truth.js';

export interface Row {
  readonly id: MessageId;
  readonly seq: number;
  readonly status: 'pending' | 'paused' | 'completed' | 'failed';
  readonly tries: number;
  readonly error: string | null;
  readonly error_class: string | null;
  readonly series_id: string | null;
  readonly recurrence: string | null;
  readonly occurrence: string | null;
}

/** Reads a session's file as nobody else does, and compares it with what really happened. */
export function auditFile(truth: Truth, session: SessionAddress): void {
  const rows = readRows(truth, session);
  if (rows === null) return;
  const found = new Set(rows.map(({ id }) => id));
  for (const message of truth.messages.values()) {
    if (message.session === session && message.isInFile && !message.isGone && !found.has(message.id)) {
      truth.world.violate(`${message.id} was in the file of ${session} and is gone`);
    }
  }
  for (const row of rows) auditRow(truth, session, row);
  auditOrder(truth, rows);
  for (const series of truth.serieses.values()) if (series.session === session) auditSeries(truth.world, series, rows);
}

export function readRows(truth: Truth, session: SessionAddress): readonly Row[] | null {
  const path = truth.world.paths(session).inbound;
  if (!existsSync(path)) return null;
  const db = new Database(path, { readonly: true });
  try {
    // A host that was killed while it made the file left it without tables.
    if (db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'messages_in'").get() === undefined) return null;
    return db
      .prepare<[], Row>(
        'SELECT id, seq, status, tries, error, error_class, series_id, recurrence, occurrence FROM messages_in ORDER BY seq',
      )
      .all();
  } finally {
    db.close();
  }
}

function auditRow(truth: Truth, session: SessionAddress, row: Row): void {
  const { world } = truth;
  const message = truth.messages.get(row.id) ?? ofSeries(truth, session, row);
  if (message === undefined) {
    world.violate(`${row.id} is in the file of ${session}, and nobody sent it`);
    return;
  }
  if (message.session !== session) world.violate(`${row.id} of ${message.session} is in the file of ${session}`);
  message.isInFile = true;
  if (row.status === 'pending' || row.status === 'paused') auditUnfinished(truth, message, row);
  else if (message.ended === null) auditEnd(truth, message, row, row.status);
  else if (message.ended !== row.status) world.violate(`${row.id} was ${message.ended} and is ${row.status}`);
}

function ofSeries(truth: Truth, session: SessionAddress, row: Row): MessageTruth | undefined {
  if (row.series_id === null || truth.serieses.get(row.series_id)?.session !== session) return undefined;
  return truth.made(row.id, session, row.series_id);
}

function auditUnfinished(truth: Truth, message: MessageTruth, row: Row): void {
  const { world } = truth;
  if (message.ended === 'failed' && message.replays > 0) {
    Object.assign(message, {
      ended: null,
      replays: 0,
      spent: 0,
      doubtful: 0,
      diedMs: null,
      isCompleted: false,
      isFinal: false,
    });
  }
  if (message.ended !== null) world.violate(`${row.id} was ${message.ended} and is ${row.status} again`);
  if (row.tries > message.spent + message.doubtful) {
    const had = `${String(message.spent)} (perhaps ${String(message.doubtful)} more)`;
    world.violate(`${row.id} is counted ${String(row.tries)} tries, turns that did not end: ${had}`);
  }
}

function auditEnd(truth: Truth, message: MessageTruth, row: Row, status: 'completed' | 'failed'): void {
  const { world } = truth;
  message.ended = status;
  world.note(`ended ${status}`, () => `${row.id} ${row.error_class ?? ''}`);
  if (status === 'completed') {
    // A cancelled series ends what waits.
    const series = message.series === null ? undefined : truth.serieses.get(message.series);
    const isCancelled = series?.state === 'cancelled' || series?.state === 'unknown';
    if (!message.isCompleted && !isCancelled)
      world.violate(`${row.id} is recorded as completed, and no turn of it was`);
    return;
  }
  if (row.error === null && row.error_class === null) world.violate(`${row.id} failed without a reason`);
  const most = world.settings.maxTries + 1;
  if (row.error_class === 'tries_spent' && message.spent + message.doubtful < most) {
    world.violate(`${row.id} failed as tried ${String(most)} times, it was ${String(message.spent)} times`);
  }
}

/** What was accepted earlier is earlier in the file. */
function auditOrder(truth: Truth, rows: readonly Row[]): void {
  let last: MessageTruth | undefined;
  for (const row of rows) {
    const message = truth.messages.get(row.id);
    if (message?.order === null || message === undefined || !message.isConfirmed) continue;
    if (last !== undefined && (last.order ?? 0) > message.order) {
      truth.world.violate(`${message.id} was accepted before ${last.id}, and is behind it in the file`);
    }
    last = message;
  }
}
