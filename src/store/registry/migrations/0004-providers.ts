/**
 * Version 4: what the host knows of providers. `provider_sessions`: by what they know our sessions, as session files say it too.
 * `resume_failures`: of each session, how many ids its file says were not known to the provider; `resume_failures_total`:
 * of all sessions, deleted ones too. `provider_gates`: those that limit us.
 */
export const PROVIDERS = `
CREATE TABLE provider_sessions (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  provider TEXT NOT NULL,
  id TEXT NOT NULL,
  synthetic INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  PRIMARY KEY (session, provider)
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_sessions_by_use ON provider_sessions (last_used_at, session, provider);
CREATE TABLE resume_failures (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  provider TEXT NOT NULL,
  seen INTEGER NOT NULL,
  PRIMARY KEY (session, provider)
) STRICT, WITHOUT ROWID;
CREATE TABLE resume_failures_total (provider TEXT PRIMARY KEY, failures INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE provider_gates (
  provider TEXT PRIMARY KEY,
  limited_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  next_probe_at INTEGER NOT NULL,
  probe TEXT,
  probe_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
