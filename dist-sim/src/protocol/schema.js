/** Version of the wire format that these tables are; given to runners as NIGHTPORTER_PROTOCOL. */
export const PROTOCOL_VERSION = 1;
export const INBOUND_SCHEMA = `
CREATE TABLE IF NOT EXISTS messages_in (
  id TEXT PRIMARY KEY,
  seq INTEGER UNIQUE,
  kind TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  status TEXT DEFAULT 'pending',
  process_after TEXT,
  recurrence TEXT,
  series_id TEXT,
  tries INTEGER DEFAULT 0,
  trigger INTEGER NOT NULL DEFAULT 1,
  platform_id TEXT,
  channel_type TEXT,
  thread_id TEXT,
  content TEXT NOT NULL,
  source_session_id TEXT,
  on_wake INTEGER NOT NULL DEFAULT 0,
  timezone TEXT,
  occurrence TEXT,
  missed TEXT,
  attempt INTEGER DEFAULT 0,
  settled_claim TEXT,
  deferrals INTEGER DEFAULT 0,
  error TEXT,
  error_class TEXT,
  finished_at TEXT,
  purged_at TEXT
);
CREATE TABLE IF NOT EXISTS delivered (
  message_out_id TEXT PRIMARY KEY,
  platform_message_id TEXT,
  status TEXT NOT NULL DEFAULT 'delivered',
  delivered_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS destinations (
  name TEXT PRIMARY KEY,
  display_name TEXT,
  type TEXT NOT NULL,
  channel_type TEXT,
  platform_id TEXT,
  agent_group_id TEXT
);
CREATE TABLE IF NOT EXISTS session_routing (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  channel_type TEXT,
  platform_id TEXT,
  thread_id TEXT
);
`;
/** Made by the host when it opens an inbound.db; after the optional columns exist. */
export const INBOUND_INDEXES = `
CREATE INDEX IF NOT EXISTS messages_in_by_status ON messages_in (status, seq);
CREATE UNIQUE INDEX IF NOT EXISTS one_live_occurrence ON messages_in (series_id)
  WHERE recurrence IS NOT NULL AND status IN ('pending', 'paused');
CREATE UNIQUE INDEX IF NOT EXISTS one_row_per_occurrence ON messages_in (series_id, occurrence);
CREATE INDEX IF NOT EXISTS purged_messages ON messages_in (purged_at) WHERE purged_at IS NOT NULL;
`;
/** Columns that an older or foreign inbound.db may lack, with the declaration that adds each. */
export const INBOUND_OPTIONAL_COLUMNS = {
    platform_id: 'TEXT',
    channel_type: 'TEXT',
    thread_id: 'TEXT',
    source_session_id: 'TEXT',
    timezone: 'TEXT',
    occurrence: 'TEXT',
    missed: 'TEXT',
    attempt: 'INTEGER DEFAULT 0',
    settled_claim: 'TEXT',
    deferrals: 'INTEGER DEFAULT 0',
    error: 'TEXT',
    error_class: 'TEXT',
    finished_at: 'TEXT',
    purged_at: 'TEXT',
};
export const OUTBOUND_SCHEMA = `
CREATE TABLE IF NOT EXISTS messages_out (
  id TEXT PRIMARY KEY,
  seq INTEGER UNIQUE,
  in_reply_to TEXT,
  timestamp TEXT NOT NULL,
  deliver_after TEXT,
  recurrence TEXT,
  kind TEXT NOT NULL,
  platform_id TEXT,
  channel_type TEXT,
  thread_id TEXT,
  content TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS processing_ack (
  message_id TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  status_changed TEXT NOT NULL,
  attempt INTEGER,
  incarnation INTEGER,
  error TEXT,
  error_class TEXT,
  retry_at TEXT
);
CREATE TABLE IF NOT EXISTS session_state (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS container_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  current_tool TEXT,
  tool_declared_timeout_ms INTEGER,
  tool_started_at TEXT,
  updated_at TEXT NOT NULL,
  incarnation INTEGER,
  heartbeat_interval_ms INTEGER,
  progress_at TEXT
);
`;
/** Columns of outbound.db that a foreign runner's file may lack; the host reads NULL in their place. */
export const OUTBOUND_OPTIONAL_COLUMNS = {
    processing_ack: ['attempt', 'incarnation', 'error', 'error_class', 'retry_at'],
    container_state: ['incarnation', 'heartbeat_interval_ms', 'progress_at'],
};
//# sourceMappingURL=schema.js.map