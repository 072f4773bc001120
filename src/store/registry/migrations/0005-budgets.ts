/**
 * Version 5: what was used. `usage_seen`: of each session, the figures in its file that were counted last. `usage`: in the
 * hour and the day of the last use, by session (`group/session`) and by group (its name alone).
 */
export const BUDGETS = `
CREATE TABLE usage_seen (
  session TEXT PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
  tokens INTEGER NOT NULL,
  cost_micros INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE usage (
  scope TEXT PRIMARY KEY,
  hour INTEGER NOT NULL,
  turns INTEGER NOT NULL,
  day INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  cost_micros INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
