import type Database from 'better-sqlite3';
import { epochOf } from '../../protocol/address.js';
import { NightporterError } from '../../protocol/errors.js';
import { RowReader } from './rows.js';
import type { GroupName, SessionAddress } from '../../protocol/address.js';
import type {
  LookFacts,
  NewSession,
  Quarantine,
  Registry,
  SessionRecord,
  SessionStatus,
} from '../../ports/registry.js';
import type { Connection } from './connection.js';

type Sessions = Pick<
  Registry,
  | 'findSession'
  | 'findCaseTwin'
  | 'createSession'
  | 'eachSession'
  | 'sessionsWithSeries'
  | 'sessionsWithFailed'
  | 'setStatus'
  | 'setPinned'
  | 'setQuarantine'
  | 'recordLook'
  | 'lowerNextDue'
  | 'deleteSession'
>;

export const SESSION_STATUSES: readonly SessionStatus[] = ['active', 'suspended', 'closed'];
const PAGE_ROWS = 500;

export function sessions(connection: Connection): Sessions {
  const select = connection.prepare(`${SELECT_SESSIONS} WHERE s.address = ?`);
  const selectPage = connection.prepare(`${SELECT_SESSIONS} WHERE s.address > @after ORDER BY s.address LIMIT @limit`);
  const selectSeriesPage = connection.prepare(
    `${SELECT_SESSIONS} WHERE s.address > @after AND s.address IN (
       SELECT address FROM sessions WHERE live_series > 0 AND address > @after
       UNION SELECT session FROM spool WHERE recurrence IS NOT NULL AND session > @after
     ) ORDER BY s.address LIMIT @limit`,
  );
  const selectFailedPage = connection.prepare(
    `${SELECT_SESSIONS} WHERE s.address > @after AND s.failed > 0 ORDER BY s.address LIMIT @limit`,
  );
  const selectDeadPage = connection.prepare(
    `${SELECT_SESSIONS} WHERE s.address > @after AND s.address IN (
       SELECT address FROM sessions WHERE failed > 0 AND address > @after
       UNION SELECT address FROM sessions WHERE purged > 0 AND address > @after
     ) ORDER BY s.address LIMIT @limit`,
  );
  const selectTwin = connection.prepare('SELECT address FROM sessions WHERE folded = ? AND address <> ?');
  const insert = connection.prepare(
    `INSERT INTO sessions (address, folded, provider, image, command, project, title, created_at)
     VALUES (@address, @folded, @provider, @image, @command, @project, @title, @createdAt)`,
  );
  const fill = connection.prepare(
    `UPDATE sessions SET provider = coalesce(provider, @provider), image = coalesce(image, @image),
       command = coalesce(command, @command), project = coalesce(project, @project), title = coalesce(title, @title)
     WHERE address = @address`,
  );
  const updateStatus = connection.prepare(
    'UPDATE sessions SET status = @status, closed_at = @closedAt, close_reason = @reason WHERE address = @address',
  );
  const updatePinned = connection.prepare('UPDATE sessions SET pinned = ? WHERE address = ?');
  const updateQuarantine = connection.prepare(
    'UPDATE sessions SET quarantined_at = ?, quarantine_file = ?, quarantine_detail = ? WHERE address = ?',
  );
  const updateLook = connection.prepare(
    `UPDATE sessions SET pending = @pending, processing = @processing, completed = @completed, failed = @failed,
       paused = @paused, live_series = @liveSeries, next_due_at = @nextDueAt, signature = @signature, last_active_at = @lastActiveAt
     WHERE address = @address`,
  );
  const lower = connection.prepare(LOWER_NEXT_DUE);
  const remove = connection.prepare('DELETE FROM sessions WHERE address = ?');
  const removeNotices = connection.prepare('DELETE FROM notices WHERE session = ?');
  const removeUsage = connection.prepare('DELETE FROM usage WHERE scope = ?');
  const insertRemoval = connection.prepare('INSERT OR REPLACE INTO removals (session, deleted_at) VALUES (?, ?)');

  const find = (session: SessionAddress): SessionRecord | undefined => {
    const row = select.get(session);
    return row === undefined ? undefined : sessionOf(row);
  };
  const findTwin = (session: SessionAddress): SessionAddress | undefined => {
    const row = selectTwin.get(foldAddress(session), session);
    return row === undefined ? undefined : new RowReader('sessions', row).address('address').address;
  };
  const requireChange = (session: SessionAddress, changes: number): void => {
    if (changes === 0) throw new NightporterError('not_found', `there is no session ${session}`);
  };

  function* pages(select: Database.Statement, after = ''): Generator<SessionRecord> {
    let last = after;
    for (;;) {
      // By pages: an open cursor would forbid every write on this connection.
      const page = connection.read(() => select.all({ after: last, limit: PAGE_ROWS }).map(sessionOf));
      yield* page;
      const end = page.at(-1);
      if (end === undefined) return;
      last = end.address;
    }
  }

  return {
    findSession: (session) => connection.read(() => find(session)),
    findCaseTwin: (session) => connection.read(() => findTwin(session)),
    eachSession: () => pages(selectPage),
    sessionsWithSeries: () => pages(selectSeriesPage),
    sessionsWithFailed: ({ group, purged }) => {
      const select = purged ? selectDeadPage : selectFailedPage;
      // Sessions of a group stand together: the slash after its name is the least that can follow.
      return group === undefined ? pages(select) : ofGroup(pages(select, `${group}/`), group);
    },

    createSession: (session) =>
      connection.write(() => {
        const command = session.command === null ? null : JSON.stringify(session.command);
        const { address, provider, image, project = null, title = null } = session;
        const values = { address, provider, image, command, project, title };
        const known = find(session.address);
        if (known === undefined) {
          refuseTwin(session, findTwin(session.address));
          insert.run({ ...values, folded: foldAddress(session.address), createdAt: session.createdAtMs });
          return 'created';
        }
        if (fillsSomething(known, session)) fill.run(values);
        return 'exists';
      }),

    setStatus: (session, status, atMs, reason) => {
      const closed = status === 'closed';
      const values = { address: session, status, closedAt: closed ? atMs : null, reason: closed ? reason : null };
      requireChange(
        session,
        connection.write(() => updateStatus.run(values).changes),
      );
    },

    setPinned: (session, pinned) => {
      requireChange(
        session,
        connection.write(() => updatePinned.run(pinned ? 1 : 0, session).changes),
      );
    },

    setQuarantine: (session, quarantine) => {
      const values = [quarantine?.sinceMs ?? null, quarantine?.file ?? null, quarantine?.detail ?? null];
      requireChange(
        session,
        connection.write(() => updateQuarantine.run(...values, session).changes),
      );
    },

    recordLook: (session, facts) => {
      connection.write(() => {
        const known = find(session);
        if (known === undefined) return;
        const nextDueAtMs = nextDueAfterLook(known, facts);
        const lastActiveMs = latest(known.lastActiveMs, facts.lastActiveMs);
        if (isKnown(known, facts, nextDueAtMs, lastActiveMs)) return; // No write: no fsync in a quiet round.
        updateLook.run({
          ...facts.counts,
          address: session,
          nextDueAt: nextDueAtMs,
          signature: facts.signature,
          liveSeries: facts.liveSeries,
          lastActiveAt: lastActiveMs,
        });
      });
    },

    lowerNextDue: (session, dueAtMs) => {
      connection.write(() => lower.run({ address: session, dueAt: dueAtMs }));
    },

    deleteSession: (session, atMs) => {
      connection.write(() => {
        removeNotices.run(session);
        removeUsage.run(session);
        if (remove.run(session).changes > 0) insertRemoval.run(session, atMs);
      });
    },
  };
}

function* ofGroup(records: Iterable<SessionRecord>, group: GroupName): Generator<SessionRecord> {
  for (const record of records) {
    if (record.group !== group) return;
    yield record;
  }
}

/** Also where it is no lower: a look that is under way must not raise it afterwards. */
export const LOWER_NEXT_DUE = `UPDATE sessions SET next_due_at = min(coalesce(next_due_at, @dueAt), @dueAt),
  due_mark = due_mark + 1 WHERE address = @address`;

/** What the unique column holds; names are ASCII. */
export function foldAddress(address: SessionAddress): string {
  return address.toLowerCase();
}

export const SELECT_SESSIONS = 'SELECT s.*, g.held_since FROM sessions s LEFT JOIN guards g ON g.session = s.address';

export function sessionOf(row: unknown): SessionRecord {
  const cells = new RowReader('sessions', row);
  return {
    ...cells.address('address'),
    status: cells.oneOf('status', SESSION_STATUSES),
    pinned: cells.flag('pinned'),
    provider: cells.textOrNull('provider'),
    image: cells.textOrNull('image'),
    command: cells.textsOrNull('command'),
    project: cells.textOrNull('project'),
    title: cells.textOrNull('title'),
    createdAtMs: cells.integer('created_at'),
    lastActiveMs: cells.integerOrNull('last_active_at'),
    closedAtMs: cells.integerOrNull('closed_at'),
    closeReason: cells.textOrNull('close_reason'),
    epoch: epochOf(cells.count('epoch')),
    nextDueAtMs: cells.integerOrNull('next_due_at'),
    dueMark: cells.count('due_mark'),
    quarantine: quarantineOf(cells),
    heldSinceMs: cells.integerOrNull('held_since'),
    signature: cells.textOrNull('signature'),
    counts: {
      pending: cells.count('pending'),
      processing: cells.count('processing'),
      completed: cells.count('completed'),
      failed: cells.count('failed'),
      paused: cells.count('paused'),
    },
    spooled: cells.count('spooled'),
    purged: cells.count('purged'),
    liveSeries: cells.count('live_series'),
  };
}

function quarantineOf(cells: RowReader): Quarantine | null {
  const sinceMs = cells.integerOrNull('quarantined_at');
  if (sinceMs === null) return null;
  return { sinceMs, file: cells.text('quarantine_file'), detail: cells.text('quarantine_detail') };
}

function refuseTwin(session: NewSession, twin: SessionAddress | undefined): void {
  if (twin === undefined) return;
  throw new NightporterError(
    'refused',
    `${session.address} differs from the existing session ${twin} only in case: use that one, or another name`,
  );
}

function fillsSomething(known: SessionRecord, session: NewSession): boolean {
  return (['provider', 'image', 'command', 'project', 'title'] as const).some(
    (field) => known[field] === null && (session[field] ?? null) !== null,
  );
}

/**
 * What is still in the spool needs no due time: `eachDue` counts it by itself, and `unspool` lowers the due time
 * when it leaves the spool. Every other lowering changes the due mark.
 */
function nextDueAfterLook(known: SessionRecord, facts: LookFacts): number | null {
  const isCurrent = facts.dueMark === undefined || facts.dueMark === known.dueMark;
  return isCurrent ? facts.nextDueAtMs : earliest(known.nextDueAtMs, facts.nextDueAtMs);
}

function isKnown(known: SessionRecord, facts: LookFacts, nextDueAtMs: number | null, lastActiveMs: number | null) {
  return (
    known.nextDueAtMs === nextDueAtMs &&
    known.lastActiveMs === lastActiveMs &&
    known.signature === facts.signature &&
    known.liveSeries === facts.liveSeries &&
    (['pending', 'processing', 'completed', 'failed', 'paused'] as const).every(
      (state) => known.counts[state] === facts.counts[state],
    )
  );
}

function earliest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

function latest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
