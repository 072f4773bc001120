import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { operationsOf } from '../../dist/src/store/session-files/operations.js';
import { PooledSessionFiles } from '../../dist/src/store/session-files/pooled-session-files.js';
import { sessionPaths } from '../../dist/src/store/session-files/session-paths.js';
import { compare, ms, ratio, row, title, us } from './report.mjs';

const CHILD_ENTRY = fileURLToPath(new URL('../../dist/src/store/worker/child.js', import.meta.url));
const OUTBOUND_MAX_BYTES = 1_073_741_824;
const SIGNATURES = 500;
const DEMO = 'demo/first';

/** What the children do, done in this process: nothing else is counted that way. Then through the pool. */
export async function benchFiles() {
  const dataDir = mkdtempSync(join(tmpdir(), 'np-bench-'));
  try {
    const operations = operationsOf({ dataDir, outboundMaxBytes: OUTBOUND_MAX_BYTES, outOwner: undefined });
    const paths = sessionPaths(dataDir, DEMO);
    fill(operations, paths);
    const many = Array.from({ length: SIGNATURES }, (_, index) => `many/s${String(index)}`);
    for (const session of many) operations.create(session);

    const sides = compare(
      {
        look: () => operations.look(DEMO, Date.now(), false),
        plain: () => plainly(paths, 4),
        plainest: () => plainly(paths, 2),
      },
      { rounds: 25, calls: 40 },
    );
    title('a look at a session with news, in the child');
    row('look', `${us(sides.look.cpuUs)} cpu, ${us(sides.look.wallUs)} wall`);
    row('open both files, 4 queries each, close', `${us(sides.plain.cpuUs)} cpu, ${us(sides.plain.wallUs)} wall`);
    row('open both files, 2 queries each, close', `${us(sides.plainest.cpuUs)} cpu, ${us(sides.plainest.wallUs)} wall`);
    row('look : 4 queries each', ratio(sides.look.cpuUs, sides.plain.cpuUs), '1.5 x');
    row('look : 2 queries each', ratio(sides.look.cpuUs, sides.plainest.cpuUs));

    const { signatures } = compare({ signatures: () => operations.signatures(many) }, { rounds: 25, calls: 4 });
    title(`signatures of ${String(SIGNATURES)} sessions in one call, in the child`);
    row('per session', `${us(signatures.cpuUs / SIGNATURES)} cpu, ${us(signatures.wallUs / SIGNATURES)} wall`, '9 us');

    await throughThePool(dataDir, many);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function throughThePool(dataDir, many) {
  const files = new PooledSessionFiles({
    dataDir,
    childEntry: CHILD_ENTRY,
    workers: 2,
    deadlineMs: 10_000,
    outboundMaxBytes: OUTBOUND_MAX_BYTES,
    outOwner: undefined,
  });
  const look = () => files.look(DEMO, { nowMs: Date.now(), lane: 'normal' });
  try {
    await look();
    title('through the pool, in this process');
    const looks = 1_000;
    const measured = await timed(async () => {
      for (let done = 0; done < looks; done += 8) await Promise.all(Array.from({ length: 8 }, look));
    });
    row('a look, 8 side by side', `${ms(measured.cpuMs / looks)} cpu, ${ms(measured.wallMs / looks)} wall`);
    const batches = 20;
    const batched = await timed(async () => {
      for (let done = 0; done < batches; done += 1) await files.signatures(many);
    });
    const sessions = batches * SIGNATURES;
    row(
      'a signature, batches of 500',
      `${us((batched.cpuMs * 1_000) / sessions)} cpu, ${us((batched.wallMs * 1_000) / sessions)} wall`,
    );
  } finally {
    await files.close();
  }
}

async function timed(work) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - began, cpuMs: (user + system) / 1_000 };
}

/** Five messages, one of them done and one claimed, twenty answers, a state, a heartbeat. */
function fill(operations, paths) {
  const messages = Array.from({ length: 5 }, (_, index) => ({
    id: `m${String(index)}`,
    kind: 'chat',
    timestampMs: Date.now() - 1_000,
    processAfterMs: null,
    trigger: true,
    onWake: false,
    content: '{"text":"x"}',
    recurrence: null,
    seriesId: null,
    timezone: null,
    occurrenceMs: null,
    missed: null,
  }));
  operations.deliver(DEMO, messages);
  const database = new Database(paths.outbound);
  const now = new Date().toISOString();
  const ack = database.prepare(
    'INSERT INTO processing_ack (message_id, status, status_changed, attempt, incarnation) VALUES (?, ?, ?, 0, 1)',
  );
  ack.run('m0', 'completed', now);
  ack.run('m1', 'processing', now);
  database
    .prepare('INSERT INTO container_state (id, updated_at, incarnation, heartbeat_interval_ms) VALUES (1, ?, 1, 10000)')
    .run(now);
  const answer = database.prepare(
    "INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, content) VALUES (?, ?, 'm0', ?, 'chat', '{}')",
  );
  for (let index = 0; index < 20; index += 1) answer.run(`o${String(index)}`, 2 * index + 1, now);
  database.close();
  writeFileSync(paths.heartbeat, '');
}

const INBOUND_QUERIES = [
  "SELECT id, status, trigger, process_after, tries, attempt FROM messages_in WHERE status IN ('pending', 'paused')",
  "SELECT count(*) FROM messages_in WHERE status = 'completed'",
  "SELECT count(*) FROM messages_in WHERE status = 'failed'",
  'SELECT timestamp FROM messages_in ORDER BY seq DESC LIMIT 1',
];
const OUTBOUND_QUERIES = [
  'SELECT * FROM processing_ack',
  'SELECT * FROM container_state WHERE id = 1',
  'SELECT count(*) FROM messages_out',
  'SELECT rowid, timestamp FROM messages_out ORDER BY rowid DESC LIMIT 1',
];

/** What a program would do that trusts the files. */
function plainly(paths, queries) {
  for (const [path, all] of [
    [paths.inbound, INBOUND_QUERIES],
    [paths.outbound, OUTBOUND_QUERIES],
  ]) {
    const database = new Database(path, { readonly: true });
    for (const sql of all.slice(0, queries)) database.prepare(sql).all();
    database.close();
  }
}
