/**
 * Version 3: the life of a session. `project`, `title`: what a channel says of it. `conversations`: which session goes on with what is said
 * in which place. `removals`: sessions whose rows are deleted and whose folders are not gone yet. `prunes`: messages that are being deleted from
 * their session's file.
 */
export const LIFE = `
ALTER TABLE sessions ADD COLUMN project TEXT;
ALTER TABLE sessions ADD COLUMN title TEXT;
CREATE INDEX sessions_idle ON sessions (coalesce(last_active_at, created_at), address)
  WHERE status = 'active' AND pinned = 0;
CREATE INDEX sessions_closed ON sessions (coalesce(closed_at, created_at), address)
  WHERE status = 'closed' AND pinned = 0;

CREATE TABLE conversations (
  channel TEXT PRIMARY KEY,
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  last_active_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_by_session ON conversations (session);
CREATE INDEX conversations_idle ON conversations (last_active_at);

CREATE TABLE prunes (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  id TEXT NOT NULL,
  PRIMARY KEY (session, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE removals (session TEXT PRIMARY KEY, deleted_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;
