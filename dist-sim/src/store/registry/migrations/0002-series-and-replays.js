/**
 * Version 2. `live_series`: how many series of the session go on. `replays`: dead letters that wait to be re-armed, with
 * the attempt that ended. `sessions.purged`: dead letters that were hidden, as last told. `turn_ends`: how each attempt of a message ended. `spool.attachments`: JSON of staged files.
 */
export const SERIES_AND_REPLAYS = `
ALTER TABLE sessions ADD COLUMN live_series INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_with_series ON sessions (address) WHERE live_series > 0;
CREATE INDEX sessions_with_failed ON sessions (address) WHERE failed > 0;
ALTER TABLE sessions ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_with_purged ON sessions (address) WHERE purged > 0;

ALTER TABLE spool ADD COLUMN missed TEXT;
ALTER TABLE spool ADD COLUMN attachments TEXT;
CREATE INDEX spool_series ON spool (session, sequence) WHERE recurrence IS NOT NULL;

CREATE TABLE replays (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  requested_at INTEGER NOT NULL,
  PRIMARY KEY (session, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE turn_ends (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  error TEXT,
  error_class TEXT,
  PRIMARY KEY (session, id, attempt)
) STRICT, WITHOUT ROWID;
`;
//# sourceMappingURL=0002-series-and-replays.js.map