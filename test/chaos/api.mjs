import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));
const ANSWER_WITHIN_MS = 6_000;
const COMMAND_WITHIN_MS = 30_000;

/**
 * One request to the daemon: `{ ok: true, value }`, or `{ ok: false, code, message }` with the daemon's own code, or
 * `no_answer`: then nobody knows whether it was done.
 */
export function ask(dataDir, method, path, body, type = 'application/json') {
  return new Promise((resolve) => {
    const call = request(
      {
        socketPath: join(dataDir, 'nightporter.sock'),
        method,
        path,
        agent: false,
        headers: body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => (text += part));
        response.once('error', (error) => resolve(noAnswer(error)));
        response.once('end', () => resolve(answerOf(response, text)));
      },
    );
    call.setTimeout(ANSWER_WITHIN_MS, () => call.destroy(new Error('timeout')));
    call.once('error', (error) => resolve(noAnswer(error)));
    call.end(body);
  });
}

/** The same through the real command line, which does it by itself where no daemon runs. */
export function command({ dataDir, configFile }, args, input = '') {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args, '--json', '--data-dir', dataDir, '--config', configFile], {
      env: outsideEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: COMMAND_WITHIN_MS,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (part) => (stdout += part));
    child.stderr.setEncoding('utf8').on('data', (part) => (stderr += part));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('close', (code) => {
      if (code === 0) resolve({ ok: true, value: JSON.parse(stdout) });
      else resolve({ ok: false, code: EXITS[code] ?? 'no_answer', message: stderr.trim() });
    });
  });
}

const EXITS = { 1: 'failed', 2: 'usage', 3: 'not_found', 4: 'unavailable', 5: 'refused' };

/** Without settings that the caller happens to have. */
export function outsideEnvironment(more = {}) {
  const plain = Object.entries(process.env).filter(([name]) => !name.startsWith('NIGHTPORTER_'));
  return { ...Object.fromEntries(plain), ...more };
}

function noAnswer(error) {
  return { ok: false, code: 'no_answer', message: error.code ?? error.message };
}

function answerOf(response, text) {
  if (!response.complete) return { ok: false, code: 'no_answer', message: 'cut off' };
  const body = JSON.parse(text);
  return response.statusCode === 200 ? { ok: true, value: body } : { ok: false, ...body.error };
}
