import type { Registry, SessionStatus, SessionSummary } from '../../ports/registry.js';
import type { SessionAddress } from '../../protocol/address.js';
import type { Connection } from './connection.js';

type Summaries = Pick<Registry, 'summaryPages'>;

/** About a millisecond. */
const PAGE_ROWS = 250;

/** As STRICT tables with their checks keep them: nothing is checked a second time for a list. */
type Row = readonly [
  address: string,
  status: string,
  pinned: number,
  held: number,
  quarantined: number,
  lastActiveMs: number | null,
];

export function summaries(connection: Connection): Summaries {
  const select = connection
    .prepare(
      `SELECT s.address, s.status, s.pinned, g.held_since IS NOT NULL, s.quarantined_at IS NOT NULL, s.last_active_at
       FROM sessions s LEFT JOIN guards g ON g.session = s.address
       WHERE s.address > ? ORDER BY s.address LIMIT ${PAGE_ROWS}`,
    )
    .raw();

  function* summaryPages(): Generator<readonly SessionSummary[]> {
    let after: string | undefined = '';
    while (after !== undefined) {
      const last = after;
      // By pages: an open cursor would forbid every write on this connection.
      const page = connection.read(() => select.all(last)) as readonly Row[];
      yield page.map(summaryOf);
      after = page.length < PAGE_ROWS ? undefined : page.at(-1)?.[0];
    }
  }

  return { summaryPages };
}

function summaryOf([address, status, pinned, held, quarantined, lastActiveMs]: Row): SessionSummary {
  return {
    session: address as SessionAddress,
    status: status as SessionStatus,
    pinned: pinned === 1,
    held: held === 1,
    quarantined: quarantined === 1,
    lastActiveMs,
  };
}
