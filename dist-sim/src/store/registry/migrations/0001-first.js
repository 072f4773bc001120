/**
 * Version 1. Times are epoch milliseconds, flags 0 or 1. `totals` and `sessions.spooled` are kept by triggers, so that
 * status answers at once whatever the number of sessions.
 */
export const FIRST = `
CREATE TABLE sessions (
  address TEXT PRIMARY KEY,
  folded TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'closed')),
  pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
  provider TEXT,
  image TEXT,
  command TEXT,
  created_at INTEGER NOT NULL,
  last_active_at INTEGER,
  closed_at INTEGER,
  close_reason TEXT,
  epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  next_due_at INTEGER,
  due_mark INTEGER NOT NULL DEFAULT 0,
  quarantined_at INTEGER,
  quarantine_file TEXT,
  quarantine_detail TEXT,
  signature TEXT,
  pending INTEGER NOT NULL DEFAULT 0,
  processing INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  paused INTEGER NOT NULL DEFAULT 0,
  spooled INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX sessions_due ON sessions (next_due_at, address)
  WHERE status = 'active' AND quarantined_at IS NULL AND next_due_at IS NOT NULL;
CREATE INDEX sessions_claimed ON sessions (next_due_at, address) WHERE processing > 0 AND quarantined_at IS NULL;
CREATE INDEX sessions_spooled ON sessions (next_due_at, address)
  WHERE spooled > 0 AND status <> 'closed' AND quarantined_at IS NULL;

CREATE TABLE spool (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  timestamp_at INTEGER NOT NULL,
  process_after INTEGER,
  trigger INTEGER NOT NULL CHECK (trigger IN (0, 1)),
  on_wake INTEGER NOT NULL CHECK (on_wake IN (0, 1)),
  content TEXT NOT NULL,
  recurrence TEXT,
  series_id TEXT,
  timezone TEXT,
  occurrence_at INTEGER,
  accepted_at INTEGER NOT NULL,
  UNIQUE (session, id)
) STRICT;
CREATE INDEX spool_in_order ON spool (session, sequence);

CREATE TABLE accepted (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  id TEXT NOT NULL,
  content_hash BLOB NOT NULL,
  PRIMARY KEY (session, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE incarnations (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  container_id TEXT,
  spec_hash TEXT NOT NULL,
  begun_at INTEGER NOT NULL,
  started_at INTEGER,
  stopped_at INTEGER,
  stop_reason TEXT,
  exit_code INTEGER,
  signal TEXT,
  oom_killed INTEGER NOT NULL DEFAULT 0 CHECK (oom_killed IN (0, 1)),
  claimed INTEGER NOT NULL DEFAULT 0 CHECK (claimed IN (0, 1)),
  fruitless INTEGER CHECK (fruitless IN (0, 1)),
  turns_completed INTEGER NOT NULL DEFAULT 0,
  answers_mark INTEGER NOT NULL,
  output TEXT,
  PRIMARY KEY (session, epoch)
) STRICT;
CREATE INDEX incarnations_open ON incarnations (session, epoch) WHERE stopped_at IS NULL;

CREATE TABLE guards (
  session TEXT PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
  fruitless INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  held_since INTEGER,
  hold_reason TEXT,
  next_probe_at INTEGER,
  settled_failures INTEGER NOT NULL,
  oom_kills INTEGER NOT NULL
) STRICT;
CREATE INDEX guards_held ON guards (session) WHERE held_since IS NOT NULL;

-- Open ones only; session is '' for the whole install, and may be one that has no row (any more).
CREATE TABLE notices (
  kind TEXT NOT NULL,
  session TEXT NOT NULL,
  text TEXT NOT NULL,
  raised_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  count INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (kind, session)
) STRICT;
CREATE INDEX notices_newest ON notices (last_at);
CREATE INDEX notices_by_session ON notices (session);

CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE totals (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  active INTEGER NOT NULL,
  suspended INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  processing INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  spooled INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

CREATE TRIGGER sessions_counted_in AFTER INSERT ON sessions BEGIN
  UPDATE totals SET
    active = active + (NEW.status = 'active'),
    suspended = suspended + (NEW.status = 'suspended'),
    closed = closed + (NEW.status = 'closed'),
    quarantined = quarantined + (NEW.quarantined_at IS NOT NULL),
    pending = pending + NEW.pending,
    processing = processing + NEW.processing,
    completed = completed + NEW.completed,
    failed = failed + NEW.failed,
    paused = paused + NEW.paused,
    spooled = spooled + NEW.spooled;
END;
CREATE TRIGGER sessions_counted_out AFTER DELETE ON sessions BEGIN
  UPDATE totals SET
    active = active - (OLD.status = 'active'),
    suspended = suspended - (OLD.status = 'suspended'),
    closed = closed - (OLD.status = 'closed'),
    quarantined = quarantined - (OLD.quarantined_at IS NOT NULL),
    pending = pending - OLD.pending,
    processing = processing - OLD.processing,
    completed = completed - OLD.completed,
    failed = failed - OLD.failed,
    paused = paused - OLD.paused,
    spooled = spooled - OLD.spooled;
END;
CREATE TRIGGER sessions_recounted
AFTER UPDATE OF status, quarantined_at, pending, processing, completed, failed, paused, spooled ON sessions BEGIN
  UPDATE totals SET
    active = active + (NEW.status = 'active') - (OLD.status = 'active'),
    suspended = suspended + (NEW.status = 'suspended') - (OLD.status = 'suspended'),
    closed = closed + (NEW.status = 'closed') - (OLD.status = 'closed'),
    quarantined = quarantined + (NEW.quarantined_at IS NOT NULL) - (OLD.quarantined_at IS NOT NULL),
    pending = pending + NEW.pending - OLD.pending,
    processing = processing + NEW.processing - OLD.processing,
    completed = completed + NEW.completed - OLD.completed,
    failed = failed + NEW.failed - OLD.failed,
    paused = paused + NEW.paused - OLD.paused,
    spooled = spooled + NEW.spooled - OLD.spooled;
END;
CREATE TRIGGER spool_counted_in AFTER INSERT ON spool BEGIN
  UPDATE sessions SET spooled = spooled + 1 WHERE address = NEW.session;
END;
CREATE TRIGGER spool_counted_out AFTER DELETE ON spool BEGIN
  UPDATE sessions SET spooled = spooled - 1 WHERE address = OLD.session;
END;
`;
//# sourceMappingURL=0001-first.js.map