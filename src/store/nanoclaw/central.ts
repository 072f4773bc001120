import { closeSync, fstatSync, readSync } from 'node:fs';
import type { ForeignGroup, ForeignSession } from '../../core/import/foreign.js';
import type { Page, Source } from '../../ports/nanoclaw.js';
import { textCell, textOf } from '../session-files/cells.js';
import { HeldFolder } from '../session-files/held-folder.js';
import type { SqliteDatabase } from '../session-files/open-database.js';
import { cellOf, columnsOf, readCopy, requireColumns } from './read-copy.js';
import { Unreadable } from './unreadable.js';

const GROUPS_MAX = 10_000;
const SESSIONS_PER_PAGE = 1_000;
const TITLE_CHARS = 200;
const ENV_MAX_BYTES = 64 * 1024;

type Cells = Readonly<Record<string, unknown>>;

export function readGroups(copy: string): readonly ForeignGroup[] {
  return present(
    readCopy(copy, (database) => {
      const columns = requireColumns(database, 'agent_groups', ['id', 'folder']);
      const settings = readSettings(database);
      const rows = database
        .prepare<[], Cells>(
          `SELECT ${['id', 'name', 'folder', 'agent_provider'].map((name) => cellOf(columns, name, textCell)).join(', ')}
           FROM agent_groups LIMIT ${String(GROUPS_MAX + 1)}`,
        )
        .all();
      if (rows.length > GROUPS_MAX) throw new Unreadable(`it has over ${String(GROUPS_MAX)} agent groups`);
      return rows.map((row) => {
        const id = textOf(row['id']) ?? '';
        const own = settings.get(id);
        return {
          id,
          name: textOf(row['name']),
          folder: textOf(row['folder']),
          provider: textOf(own?.['provider']) ?? textOf(row['agent_provider']),
          zone: textOf(own?.['timezone']),
        };
      });
    }),
  );
}

/** Settings of groups, which older versions keep elsewhere. */
function readSettings(database: SqliteDatabase): ReadonlyMap<string, Cells> {
  const columns = columnsOf(database, 'container_configs');
  if (!columns.has('agent_group_id')) return new Map();
  const cells = ['agent_group_id', 'provider', 'timezone'].map((name) => cellOf(columns, name, textCell));
  const rows = database
    .prepare<[], Cells>(`SELECT ${cells.join(', ')} FROM container_configs LIMIT ${String(GROUPS_MAX)}`)
    .all();
  return new Map(rows.map((row) => [textOf(row['agent_group_id']) ?? '', row]));
}

export function readSessions(copy: string, after: number): Page<ForeignSession> {
  return present(
    readCopy(copy, (database) => {
      const columns = requireColumns(database, 'sessions', ['id', 'agent_group_id']);
      const places = columnsOf(database, 'messaging_groups');
      const title =
        places.has('id') && places.has('name') && columns.has('messaging_group_id')
          ? `(SELECT substr(m.name, 1, ${String(TITLE_CHARS)}) FROM messaging_groups m WHERE m.id = sessions.messaging_group_id)`
          : 'NULL';
      const names = ['id', 'agent_group_id', 'status', 'agent_provider', 'thread_id', 'created_at', 'container_status'];
      const rows = database
        .prepare<[number], Cells>(
          `SELECT rowid AS mark, ${names.map((name) => cellOf(columns, name, textCell)).join(', ')}, ${title} AS title
           FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT ${String(SESSIONS_PER_PAGE)}`,
        )
        .all(after);
      const last = rows.at(-1)?.['mark'];
      return {
        rows: rows.map(sessionOf),
        next: rows.length === SESSIONS_PER_PAGE && typeof last === 'number' ? last : null,
      };
    }),
  );
}

function sessionOf(row: Cells): ForeignSession {
  return {
    id: textOf(row['id']) ?? '',
    group: textOf(row['agent_group_id']) ?? '',
    status: textOf(row['status']),
    provider: textOf(row['agent_provider']),
    title: textOf(row['title']),
    thread: textOf(row['thread_id']),
    createdAt: textOf(row['created_at']),
    isRunning: row['container_status'] === 'running',
  };
}

/** `TZ` of the installation's .env, the zone of its series; nothing else of that file is kept. null: it names none. */
export function readZone({ root }: Source): string | null {
  const folder = HeldFolder.open(root);
  try {
    const file = folder?.file('.env');
    if (file === undefined) return null;
    try {
      const stats = fstatSync(file);
      if (!stats.isFile() || stats.size > ENV_MAX_BYTES) return null;
      const bytes = Buffer.alloc(stats.size);
      const read = readSync(file, bytes, 0, bytes.length, 0);
      const [, zone = ''] = /^[ \t]*TZ[ \t]*=[ \t]*["']?([^"'\r\n#]*)/m.exec(bytes.toString('utf8', 0, read)) ?? [];
      return zone.trim() === '' ? null : zone.trim();
    } finally {
      closeSync(file);
    }
  } finally {
    folder?.close();
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Unreadable('the copy of the central database is gone');
  return value;
}
