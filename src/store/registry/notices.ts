import { RowReader } from './rows.js';
import type { NoticeKind, NoticeRecord } from '../../ports/notices.js';
import type { Registry } from '../../ports/registry.js';
import type { SessionAddress } from '../../protocol/address.js';
import type { Connection } from './connection.js';

type Notices = Pick<Registry, 'raise' | 'settleNotice' | 'openNotices' | 'noticesBefore'>;

const PAGE_ROWS = 200;

const NOTICE_KINDS: Readonly<Record<NoticeKind, true>> = {
  held: true,
  quarantined: true,
  replaced_corrupt_file: true,
  stopped: true,
  dead_letter: true,
  unstoppable: true,
  wake_failing: true,
  not_claiming: true,
  runtime_down: true,
  mass_stale: true,
  clock_jump: true,
  disk_full: true,
  image_missing: true,
  duplicate_series: true,
  series_retired: true,
  folder_missing: true,
  file_busy: true,
  stale_active: true,
  provider_limited: true,
  budget_spent: true,
};

export function notices(connection: Connection): Notices {
  // Raised again it says what is true now, and since when.
  const upsert = connection.prepare(
    `INSERT INTO notices (kind, session, text, raised_at, last_at) VALUES (@kind, @session, @text, @at, @at)
     ON CONFLICT (kind, session) DO UPDATE SET text = @text, last_at = max(last_at, @at), count = count + 1
     RETURNING count`,
  );
  const remove = connection.prepare('DELETE FROM notices WHERE kind = ? AND session = ?');
  const select = connection.prepare('SELECT * FROM notices ORDER BY last_at DESC, kind, session LIMIT ?');
  const selectBefore = connection.prepare(
    `SELECT * FROM notices WHERE last_at < @before AND (last_at, kind, session) > (@lastAt, @kind, @session)
     ORDER BY last_at, kind, session LIMIT @limit`,
  );

  return {
    raise: ({ kind, session, text, atMs }) =>
      connection.write(() => {
        const row = upsert.get({ kind, session: sessionKey(session), text, at: atMs });
        return new RowReader('notices', row).count('count') === 1;
      }),
    settleNotice: (kind, session) => connection.write(() => remove.run(kind, sessionKey(session)).changes > 0),
    openNotices: (limit) => connection.read(() => select.all(limit).map(noticeOf)),
    *noticesBefore(beforeMs) {
      let after = { lastAt: Number.MIN_SAFE_INTEGER, kind: '', session: '' };
      for (;;) {
        const values = { before: beforeMs, limit: PAGE_ROWS, ...after };
        const page = connection.read(() => selectBefore.all(values).map(noticeOf));
        const last = page.at(-1);
        if (last === undefined) return;
        after = { lastAt: last.lastAtMs, kind: last.kind, session: sessionKey(last.session) };
        yield page;
      }
    },
  };
}

function sessionKey(session: SessionAddress | null): string {
  return session ?? '';
}

function noticeOf(row: unknown): NoticeRecord {
  const cells = new RowReader('notices', row);
  return {
    kind: cells.oneOf('kind', Object.keys(NOTICE_KINDS) as NoticeKind[]),
    session: cells.text('session') === '' ? null : cells.address('session').address,
    text: cells.text('text'),
    atMs: cells.integer('raised_at'),
    count: cells.count('count'),
    lastAtMs: cells.integer('last_at'),
  };
}
