import Database from 'better-sqlite3';
import type { Desk } from '../../src/desk/desk.js';
import type { Nanoclaw } from '../../src/ports/nanoclaw.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import { sessionPaths } from '../../src/store/session-files/session-paths.js';
import type { NanoclawInstallation } from './nanoclaw-installation.js';

export type Row = Readonly<Record<string, string | number | null>>;

/** Of a table of one of an imported session's files, in the order in which they were written. */
export function readRows(dataDir: string, session: string, table: string): Row[] {
  const paths = sessionPaths(dataDir, session as SessionAddress);
  const isInbound = table !== 'messages_out' && table !== 'session_state';
  const db = new Database(isInbound ? paths.inbound : paths.outbound, { readonly: true });
  try {
    return db.prepare<[], Row>(`SELECT * FROM ${table} ORDER BY rowid`).all();
  } finally {
    db.close();
  }
}

/** Three sessions in two groups, with four messages, a series, an answer and a file. */
export function makeSome(there: NanoclawInstallation): void {
  there.group('ag', 'main');
  there.group('ag-2', 'side');
  const first = there.session('ag', 's1').message('m1').message('m2', { status: 'completed' }).answer('a', 'm2', 'x');
  first
    .file('inbox/m1/a.txt', 'a')
    .message('odd:1')
    .message('t', { recurrence: '0 0 * * *', process_after: '2031-01-01T00:00:00Z' });
  there.session('ag', 's2', { status: 'closed' });
  there.session('ag-2', 's3').message('m').state('sdk_session_id', 'id');
  there.finish();
}

/** With some of what it asks of installations and files replaced. */
export function withNanoclaw(desk: Desk, change: (real: Nanoclaw) => Partial<Nanoclaw>): Desk {
  const real = desk.nanoclaw;
  if (real === null) throw new Error('no nanoclaw');
  const changed = change(real);
  const nanoclaw = new Proxy(real, {
    get: (target, name) => {
      const found: unknown = Reflect.get(changed, name) ?? Reflect.get(target, name);
      return typeof found === 'function' ? (found.bind(target) as unknown) : found;
    },
  });
  return { ...desk, nanoclaw };
}
