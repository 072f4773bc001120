// A stand-in for runners that were written for the session format of NanoClaw v2: it knows that format's columns and paths
// and nothing newer (no attempt, no incarnation, no epoch, no on_wake, no idle time). What such runners do, it does: newest ten
// first, every id that has an ack skipped, all claims deleted at start, no end of its own, an answer and its ack written one
// after the other, and a heartbeat only when the agent says something.
// Its agent is a program for tests: NIGHTPORTER_COMMAND, a JSON array, without which it echoes. Each line that the program
// prints is an answer, written at once, as a tool of a real agent would. Exit code 0 completes the turn; any other fails it, 75
// with the class `retryable`: what a later descendant with classes, and still without attempts, would write.
// Where there is no /workspace (processes), it is told by NIGHTPORTER_WORKSPACE and NIGHTPORTER_INBOUND.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';

const isInContainer = existsSync('/workspace/outbound.db');
const workspace = isInContainer ? '/workspace' : process.env.NIGHTPORTER_WORKSPACE;
const inboundPath = isInContainer ? '/workspace/inbound.db' : process.env.NIGHTPORTER_INBOUND;
const command = JSON.parse(process.env.NIGHTPORTER_COMMAND ?? 'null');
const POLL_MS = 100;

const outbound = new Database(`${workspace}/outbound.db`);
outbound.pragma('journal_mode = DELETE');
outbound.pragma('busy_timeout = 5000');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function withInbound(work) {
  const inbound = new Database(inboundPath, { readonly: true });
  try {
    inbound.pragma('busy_timeout = 5000');
    return work(inbound);
  } finally {
    inbound.close();
  }
}

function touchHeartbeat() {
  const now = new Date();
  try {
    utimesSync(`${workspace}/.heartbeat`, now, now);
  } catch {
    writeFileSync(`${workspace}/.heartbeat`, '');
  }
}

function pendingMessages() {
  const pending = withInbound((inbound) =>
    inbound
      .prepare(
        `SELECT * FROM messages_in WHERE status = 'pending'
           AND (process_after IS NULL OR datetime(process_after) <= datetime('now'))
         ORDER BY seq DESC LIMIT 10`,
      )
      .all(),
  );
  const acked = new Set(outbound.prepare('SELECT message_id FROM processing_ack').pluck().all());
  return pending.filter(({ id }) => !acked.has(id)).reverse();
}

function mark(messages, status, errorClass) {
  const [column, value] = errorClass === undefined ? ['', ''] : [', error_class', `, '${errorClass}'`];
  const put = outbound.prepare(
    `INSERT OR REPLACE INTO processing_ack (message_id, status, status_changed${column})
     VALUES (?, ?, datetime('now')${value})`,
  );
  outbound.transaction(() => messages.forEach(({ id }) => put.run(id, status)))();
}

function answer(to, text) {
  const highestOf = (db, table) => db.prepare(`SELECT coalesce(max(seq), 0) FROM ${table}`).pluck().get();
  const highest = Math.max(
    highestOf(outbound, 'messages_out'),
    withInbound((inbound) => highestOf(inbound, 'messages_in')),
  );
  outbound
    .prepare(
      `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, platform_id, channel_type, thread_id, content)
       VALUES (?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'chat', ?, ?, ?, ?)`,
    )
    .run(
      randomUUID(),
      highest + (highest % 2 === 0 ? 1 : 2),
      to.id,
      to.platform_id,
      to.channel_type,
      to.thread_id,
      JSON.stringify({ text }),
    );
}

/** Exit code of the agent, which reads the messages as one JSON line. */
async function runAgent(messages, onLine) {
  if (command === null) {
    for (const { content } of messages) onLine(JSON.parse(content).text);
    return 0;
  }
  const [program, ...args] = command;
  const agent = spawn(program, args, { cwd: workspace, stdio: ['pipe', 'pipe', 'inherit'] });
  agent.stdin.on('error', () => undefined);
  agent.stdin.end(`${JSON.stringify({ messages })}\n`);
  const ended = new Promise((resolve) => {
    agent.once('error', () => resolve(127));
    agent.once('close', (code) => resolve(code ?? 1));
  });
  for await (const line of createInterface({ input: agent.stdout })) onLine(line);
  return ended;
}

async function turn(messages) {
  mark(messages, 'processing');
  const first = messages.find(({ trigger }) => trigger === 1);
  const code = await runAgent(messages, (line) => {
    answer(first, line);
    touchHeartbeat();
  });
  mark(messages, code === 0 ? 'completed' : 'failed', code === 75 ? 'retryable' : undefined);
}

outbound.prepare(`DELETE FROM processing_ack WHERE status = 'processing'`).run();
for (;;) {
  let messages = [];
  try {
    messages = pendingMessages();
  } catch (error) {
    // The host rolls back its journal before each start; a lock is waited for.
    if (!String(error.code).startsWith('SQLITE_')) throw error;
  }
  if (messages.some(({ trigger }) => trigger === 1)) await turn(messages);
  else await sleep(POLL_MS);
}
