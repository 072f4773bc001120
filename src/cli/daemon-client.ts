import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { DeskApi, Streamed } from '../desk/api.js';
import type { AttachmentView, BatchView } from '../desk/views.js';
import type { ErrorBody, PingBody, StreamLine } from '../desk/wire.js';
import { NDJSON, sessionPath } from '../desk/wire.js';
import { readLines } from '../desk/read-lines.js';
import { NightporterError } from '../protocol/errors.js';

const OCTETS = 'application/octet-stream';
/** Nothing is sent before the daemon wants it: who is refused while it sends meets a closed socket, not the reason. */
const UPLOAD_HEADERS = { expect: '100-continue' } as const;
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
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly json?: unknown;
  readonly upload?: {
    readonly type: string;
    readonly bytes: AsyncIterable<Uint8Array>;
    readonly size?: number | undefined;
  };
  readonly timeoutMs?: number;
}

/** The answers are the daemon's own views: they are not checked a second time. */
function daemonApi(socketPath: string): DeskApi {
  const get = <T>(path: string): Promise<T> => ask({ socketPath, method: 'GET', path });
  const post = <T>(path: string, json: unknown): Promise<T> => ask({ socketPath, method: 'POST', path, json });
  return {
    status: () => get('/v1/status'),
    stage: (name, bytes, size) =>
      ask({ socketPath, method: 'PUT', path: `/v1/staging${query({ name })}`, upload: { type: OCTETS, bytes, size } }),
    send: (input) => post('/v1/messages', input),
    sendBatch: (bytes, session) =>
      ask<BatchView>({
        socketPath,
        method: 'POST',
        path: `/v1/messages/batch${query({ session })}`,
        upload: { type: NDJSON, bytes },
      }),
    replies: (session, after) => get(`${sessionPath(session, '/replies')}${query({ after: String(after) })}`),
    attachment: (session, reply, name) =>
      download(socketPath, `${sessionPath(session, '/attachments')}${query({ reply, name })}`),
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
    gc: (options) => post('/v1/gc', options),
    route: (event) => post('/v1/events', event),
    importNanoclaw: (input) => post('/v1/import/nanoclaw', input),
    drain: () => post('/v1/drain', {}),
    reloadSettings: () => post('/v1/config/reload', {}),
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
        ...(call.upload === undefined ? {} : { 'content-type': call.upload.type, ...UPLOAD_HEADERS }),
        ...(call.upload?.size === undefined ? {} : { 'content-length': call.upload.size }),
      },
    });
    const answered = new AbortController();
    outgoing.once('response', (response) => {
      answered.abort();
      resolve(response);
    });
    outgoing.on('error', reject);
    if (call.timeoutMs !== undefined) {
      outgoing.setTimeout(call.timeoutMs, () => {
        outgoing.destroy(new Error(`no answer within ${String(call.timeoutMs)} ms`));
      });
    }
    const { upload } = call;
    if (upload === undefined) outgoing.end(json);
    else {
      outgoing.once('continue', () => {
        pump(upload.bytes, outgoing, answered.signal).catch((error: unknown) => {
          outgoing.destroy();
          reject(error instanceof Error ? error : new Error(String(error)));
        });
      });
    }
  });
}

/** An answer that comes before the end of an upload is a refusal: the rest is not sent. */
async function pump(bytes: AsyncIterable<Uint8Array>, outgoing: ClientRequest, answered: AbortSignal): Promise<void> {
  for await (const chunk of bytes) {
    if (answered.aborted || outgoing.destroyed) return;
    if (outgoing.write(chunk)) continue;
    await once(outgoing, 'drain', { signal: answered }).catch(() => undefined);
  }
  if (!answered.aborted) outgoing.end();
}

async function download(socketPath: string, path: string): Promise<AttachmentView> {
  try {
    const response = await send({ socketPath, method: 'GET', path });
    if (response.statusCode !== 200) await readJson(response);
    return { bytes: Number(response.headers['content-length']), chunks: bodyOf(response, socketPath) };
  } catch (error) {
    throw asUnavailable(error, socketPath);
  }
}

async function* bodyOf(response: IncomingMessage, socketPath: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) if (chunk instanceof Uint8Array) yield chunk;
  } catch (error) {
    throw asUnavailable(error, socketPath);
  }
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) if (chunk instanceof Uint8Array) chunks.push(chunk);
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  if (response.statusCode === 200) return body;
  // What is still being sent to whoever has refused it.
  response.socket.destroy();
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
