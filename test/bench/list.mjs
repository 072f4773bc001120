import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { sendBatch } from '../../dist/src/desk/send-batch.js';
import { serveHttp } from '../../dist/src/http/server.js';
import { createLog } from '../../dist/src/observe/logs.js';
import { openRegistry } from '../../dist/src/store/registry/open-registry.js';
import { systemClock, systemRandom } from '../../dist/src/system.js';
import { breathe, watchLoop } from './loop.mjs';
import { median, ms, ratio, row, title } from './report.mjs';

const SESSIONS = 100_000;
const LINES = 10_000;
const RUNS = 5;
const BARE = `SELECT s.address, s.status, s.pinned, g.held_since, s.quarantined_at, s.last_active_at
  FROM sessions s LEFT JOIN guards g ON g.session = s.address ORDER BY s.address`;

/** Asks like the command line does; says when the first bytes came, and how many rows. */
const READER = `
  const { request } = require('node:http');
  const began = performance.now();
  let firstMs, rows = -1;
  request({ socketPath: process.argv[1], path: '/v1/sessions', agent: false }, (response) => {
    response.on('data', (chunk) => {
      firstMs ??= performance.now() - began;
      for (const byte of chunk) if (byte === 10) rows += 1;
    });
    response.on('end', () => process.stdout.write(JSON.stringify({ firstMs, rows })));
  }).end();
`;

/** What the daemon spends on a list of many sessions over its socket, and on a large batch. */
export async function benchList() {
  const dataDir = mkdtempSync(join(tmpdir(), 'np-bench-'));
  const registry = openRegistry({ dataDir, mode: 'write' });
  const desk = deskOn(dataDir, registry);
  try {
    await batches(desk);
    fill(dataDir);
    const server = await serveHttp({ desk });
    const plain = new Database(join(dataDir, 'registry.db'), { readonly: true });
    const runs = [];
    for (let run = 0; run < RUNS; run += 1) {
      const bare = await measured(() => plain.prepare(BARE).raw().all());
      const list = await measured(() => read(server.socketPath));
      runs.push({ bare, list });
    }
    plain.close();
    await server.close();
    const of = (pick) => median(runs.map(pick));
    title(`a list of ${String(SESSIONS)} sessions over the socket`);
    row('daemon', `${ms(of(({ list }) => list.cpuMs))} cpu, ${ms(of(({ list }) => list.wallMs))} wall`, '1000 ms cpu');
    row('longest turn of the event loop', ms(of(({ list }) => list.turn.wallMs)), '20 ms');
    row('first rows', ms(of(({ list }) => list.answer.firstMs)));
    row('rows', String(of(({ list }) => list.answer.rows)));
    row('a bare SELECT of the same columns', `${ms(of(({ bare }) => bare.cpuMs))} cpu`);
    row(
      'list : SELECT',
      ratio(
        of(({ list }) => list.cpuMs),
        of(({ bare }) => bare.cpuMs),
      ),
    );
  } finally {
    registry.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function batches(desk) {
  title(`a batch of ${String(LINES)} lines`);
  for (const [sessions, chars] of [
    [10, 100],
    [10, 1_000],
    [LINES, 100],
  ]) {
    const runs = [];
    for (let run = 0; run < RUNS; run += 1) {
      const lines = Array.from({ length: LINES }, (_, n) =>
        JSON.stringify({
          session: `r${String(run)}-${String(sessions)}-${String(chars)}/s${String(n % sessions)}`,
          text: 'x'.repeat(chars),
        }),
      );
      const bytes = Buffer.from(lines.join('\n'));
      runs.push(await measured(() => sendBatch(desk, chunks(bytes), undefined)));
    }
    const of = (pick) => ms(median(runs.map(pick)));
    const what = `${String(sessions)} new sessions, ${String(chars)} characters a line`;
    row(what, `${of((run) => run.cpuMs)} cpu, ${of((run) => run.wallMs)} wall`);
    row(`${what}: longest turn`, `${of((run) => run.turn.wallMs)} wall, ${of((run) => run.turn.cpuMs)} cpu`, '50 ms');
  }
}

async function* chunks(bytes) {
  for (let at = 0; at < bytes.length; at += 65_536) {
    await breathe();
    yield bytes.subarray(at, at + 65_536);
  }
}

async function measured(work) {
  const loop = watchLoop();
  await breathe();
  const cpu = process.cpuUsage();
  const began = performance.now();
  const answer = await work();
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  await breathe();
  return { answer, wallMs, cpuMs: (user + system) / 1_000, turn: loop.stop() };
}

function read(socketPath) {
  return new Promise((resolve, reject) => {
    const reader = spawn(process.execPath, ['-e', READER, socketPath], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    reader.stdout.on('data', (chunk) => (text += chunk));
    reader.once('error', reject);
    reader.once('close', () => resolve(JSON.parse(text)));
  });
}

function fill(dataDir) {
  const database = new Database(join(dataDir, 'registry.db'));
  database.transaction(() => {
    database.exec('DELETE FROM sessions');
    const insert = database.prepare(
      'INSERT INTO sessions (address, folded, created_at, last_active_at) VALUES (@address, @address, 0, 1700000000000)',
    );
    for (let index = 0; index < SESSIONS; index += 1) {
      insert.run({ address: `g${String(index % 50)}/s${String(index)}` });
    }
  })();
  database.close();
}

function deskOn(dataDir, registry) {
  return {
    registry,
    files: undefined,
    rounds: null,
    runtime: null,
    clock: systemClock,
    random: systemRandom,
    settings: { dataDir, messageMaxBytes: 16 * 1024 * 1024 },
    log: createLog('error'),
    requestStop: () => undefined,
  };
}
