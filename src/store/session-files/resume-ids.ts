import { idsIn } from '../../protocol/resume-ids.js';
import { PROVIDER_SESSION_KEY } from '../../protocol/runner-notes.js';
import { textCell, textOf } from './cells.js';
import { busy, hostile } from './finding.js';
import { checkFolders } from './inspect-file.js';
import type { FilesSettings } from './open-database.js';
import { readOutboundFile } from './outbound.js';
import type { SessionPaths } from './session-paths.js';

const VALUE_MAX_BYTES = 64 * 1024;
const ROWS_MAX = 1_000;

/**
 * All that may be a provider's session id in outbound.db, but for what these providers have under their key. What cannot be
 * read completely is no answer.
 */
export function readResumeIds(
  settings: FilesSettings,
  paths: SessionPaths,
  without: readonly string[] = [],
): readonly string[] {
  checkFolders(paths);
  const ids = readOutboundFile(settings, paths, (database, shape) => {
    if (!shape.has('session_state')) return undefined;
    const values = database
      .prepare(
        `SELECT ${textCell('value', VALUE_MAX_BYTES)} FROM session_state
         WHERE coalesce(key, '') NOT IN (SELECT value FROM json_each(?)) LIMIT ${String(ROWS_MAX + 1)}`,
      )
      .pluck()
      .all(JSON.stringify(without.map((provider) => PROVIDER_SESSION_KEY + provider)));
    if (values.length > ROWS_MAX) throw hostile('outbound.db', `session_state has over ${String(ROWS_MAX)} rows`);
    return values.flatMap((cell) => {
      const text = textOf(cell);
      if (text === null) throw hostile('outbound.db', 'a value of session_state is over limits');
      return idsIn(text);
    });
  });
  if (ids === undefined) throw busy('outbound.db', 'has no session_state');
  return [...new Set(ids)];
}
