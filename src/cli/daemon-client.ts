import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DeskApi, Streamed } from '../desk/api.js';
import type { BatchView } from '../desk/views.js';
import type { ErrorBody, PingBody, StreamLine } from '../desk/wire.js';
import { NDJSON, sessionPath } from '../desk/wire.js';
import { readLines } from '../desk/read-lines.js';
import { NightporterError } from '../protocol/errors.js';

const PING_TIMEOUT_MS = 5_000;
const ROW_MAX_BYTES = 64 * 1024 * 1024;

/**
 * The desk of a running daemon, asked over its socket.
 * @returns undefined when nobody listens there
 * @throws NightporterError `unavailable` when it does not answer in time
 */
export async function connectDaemon(socketPath: string): Promise<DaemonConnection | undefined> {
  try {
    const response = await send({ socketPath, method: 'GET', path: '/v1/ping', timeoutMs: PING_TIMEOUT_MS });
    const { pid } = (await readJson(response)) as PingBody;
    return { pid, api: daemonApi(socketPath) };
  } catch (error) {
    if (isNobodyThere(error)) return undefined;
    throw asUnavailable(error, socketPath);
  }
}

export interface DaemonConnection {
  readonly pid: number;
  readonly api: DeskApi;
}

interface Call {
  readonly socketPath: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly json?: unknown;
  readonly ndjson?: AsyncIterable<Uint8Array>;
  readonly timeoutMs?: number;
}

/** The answers are the daemon's own views: they are not checked a second time. */
function daemonApi(socketPath: string): DeskApi {
  const get = <T>(path: string): Promise<T> => ask({ socketPath, method: 'GET', path });
  const post = <T>(path: string, json: unknown): Promise<T> => ask({ socketPath, method: 'POST', path, json });
  return {
    status: () => get('/v1/status'),
    send: (input) => post('/v1/messages', input),
    sendBatch: (ndjson, session) =>
      ask<BatchView>({ socketPath, method: 'POST', path: `/v1/messages/batch${query({ session })}`, ndjson }),
    replies: (session, after) => get(`${sessionPath(session, '/replies')}${query({ after: String(after) })}`),
    createSession: (input) => post('/v1/sessions', input),
    sessions: ({ closed }) => stream(socketPath, `/v1/sessions${query({ closed: closed ? '1' : undefined })}`),
    showSession: (session) => get(sessionPath(session)),
    changeSession: (session, change) => post(sessionPath(session, '/change'), { change }),
    deadLetters: ({ limit, purged, ...filter }) =>
      stream(
        socketPath,
        `/v1/dead${query({ ...filter, limit: limit?.toString(), purged: purged === true ? '1' : undefined })}`,
      ),
    showDead: (session, id) => get(`${sessionPath(session, '/dead')}${query({ id })}`),
    retryDead: (selection) => post('/v1/dead/retry', selection),
    purgeDead: (selection) => post('/v1/dead/purge', selection),
    schedules: ({ session }) => stream(socketPath, `/v1/schedules${query({ session })}`),
    showSchedule: (session, series) => get(`${sessionPath(session, '/schedule')}${query({ series })}`),
    changeSchedule: (session, series, change) => post(sessionPath(session, '/schedule'), { series, ...change }),
    logs: (session) => get(sessionPath(session, '/logs')),
    sweep: (options) => post('/v1/sweep', options),
    drain: () => post('/v1/drain', {}),
  };
}

async function ask<T>(call: Call): Promise<T> {
  try {
    return (await readJson(await send(call))) as T;
  } catch (error) {
    throw asUnavailable(error, call.socketPath);
  }
}

async function* stream<T>(socketPath: string, path: string): AsyncGenerator<Streamed<T>> {
  try {
    const response = await send({ socketPath, method: 'GET', path });
    if (response.statusCode !== 200) await readJson(response);
    for await (const { bytes } of readLines(response, ROW_MAX_BYTES)) {
      const line = JSON.parse(Buffer.from(bytes ?? []).toString('utf8')) as StreamLine<T>;
      if ('end' in line) return;
      if ('row' in line || 'problem' in line) yield line;
      else throw errorOf(line);
    }
    throw new NightporterError('unavailable', 'the daemon broke off in the middle of its answer: try again');
  } catch (error) {
    throw asUnavailable(error, socketPath);
  }
}

function send(call: Call): Promise<IncomingMessage> {
  const json = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: call.socketPath,
      method: call.method,
      path: call.path,
      agent: false,
      headers: {
        host: 'nightporter',
        ...(json === undefined ? {} : { 'content-type': 'application/json', 'content-length': json.byteLength }),
        ...(call.ndjson === undefined ? {} : { 'content-type': NDJSON }),
      },
    });
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
    if (call.timeoutMs !== undefined) {
      outgoing.setTimeout(call.timeoutMs, () => {
        outgoing.destroy(new Error(`no answer within ${String(call.timeoutMs)} ms`));
      });
    }
    if (call.ndjson === undefined) outgoing.end(json);
    else pipeline(Readable.from(call.ndjson, { objectMode: false }), outgoing).catch(reject);
  });
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) if (chunk instanceof Uint8Array) chunks.push(chunk);
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  if (response.statusCode === 200) return body;
  throw errorOf(body as ErrorBody);
}

function errorOf({ error }: ErrorBody): NightporterError {
  return new NightporterError(error.code, error.message);
}

function query(values: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

function isNobodyThere(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR';
}

/** What is no answer of the daemon: it went away, or it is not one of ours. */
function asUnavailable(error: unknown, socketPath: string): unknown {
  if (error instanceof NightporterError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && 'code' in error && error.code === 'EACCES') {
    return new NightporterError(
      'failed',
      `no permission to speak to the daemon at ${socketPath}: run it as the user who started the daemon`,
      { cause: error },
    );
  }
  return new NightporterError(
    'unavailable',
    `the daemon at ${socketPath} did not answer (${detail}): look at its log, then try again`,
    { cause: error },
  );
}
