import { Hono } from 'hono';
import type { Context } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import { z } from 'zod';
import type { DeskApi } from '../desk/api.js';
import { DEAD_FILTER, DEAD_SELECTION } from '../desk/dead-input.js';
import type { Desk } from '../desk/desk.js';
import {
  CHANGE_SCHEDULE,
  CHANGE_SESSION,
  CREATE_SESSION,
  EVENT,
  GC,
  IMPORT,
  parseInput,
  SEND,
  SWEEP,
} from '../desk/parse-input.js';
import type { PingBody } from '../desk/wire.js';
import { HTTP_STATUS } from '../desk/wire.js';
import type { MetricsPage } from '../observe/metrics.js';
import { NightporterError } from '../protocol/errors.js';
import { errorBody } from './error-body.js';
import { bytesOf, readJson, requireSize } from './read-body.js';
import { streamRows } from './stream-rows.js';

/** Names and escapes beside a message's content. */
const BODY_SLACK_BYTES = 64 * 1024;
const SMALL_BODY_BYTES = 1024 * 1024;
/** A list of ids. */
const IDS_BODY_BYTES = 16 * 1024 * 1024;

type Env = { Bindings: HttpBindings };

const ATTACHMENT = z.object({ reply: z.string(), name: z.string() });
const MARK = z.object({ after: z.coerce.number().int().nonnegative().default(0) });

export function routes(desk: Desk, api: DeskApi, metrics?: MetricsPage): Hono<Env> {
  const app = new Hono<Env>();
  const body = (c: Context<Env>, maxBytes = SMALL_BODY_BYTES) => readJson(c.env.incoming, maxBytes);
  const upload = (c: Context<Env>) => {
    if (c.req.header('expect')?.toLowerCase() === '100-continue') c.env.outgoing.writeContinue();
    return bytesOf(c.env.incoming);
  };
  const session = (c: Context<Env>) => `${c.req.param('group') ?? ''}/${c.req.param('session') ?? ''}`;

  app.get('/v1/ping', (c) => c.json({ pid: process.pid, dataDir: desk.settings().dataDir } satisfies PingBody));
  if (metrics !== undefined) {
    app.get('/metrics', async (c) => c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }));
  }
  app.get('/v1/status', async (c) => c.json(await api.status()));

  app.post('/v1/messages', async (c) => {
    const input = parseInput(SEND, await body(c, desk.settings().messageMaxBytes + BODY_SLACK_BYTES));
    return c.json(await api.send(input));
  });
  app.put('/v1/staging', async (c) => {
    const name = c.req.query('name') ?? '';
    requireSize(name, Number(c.req.header('content-length') ?? 0), desk.settings().attachmentMaxBytes);
    return c.json(await api.stage(name, upload(c)));
  });
  app.post('/v1/messages/batch', async (c) => c.json(await api.sendBatch(upload(c), c.req.query('session'))));

  app.get('/v1/sessions', (c) => streamRows(api.sessions({ closed: c.req.query('closed') === '1' })));
  app.post('/v1/sessions', async (c) => c.json(await api.createSession(parseInput(CREATE_SESSION, await body(c)))));
  app.get('/v1/sessions/:group/:session', async (c) => c.json(await api.showSession(session(c))));
  app.post('/v1/sessions/:group/:session/change', async (c) => {
    const { change } = parseInput(CHANGE_SESSION, await body(c));
    return c.json(await api.changeSession(session(c), change));
  });
  app.get('/v1/sessions/:group/:session/replies', async (c) => {
    const { after } = parseInput(MARK, c.req.query());
    return c.json(await api.replies(session(c), after));
  });
  app.get('/v1/sessions/:group/:session/attachments', async (c) => {
    const { reply, name } = parseInput(ATTACHMENT, c.req.query());
    const { bytes, chunks } = await api.attachment(session(c), reply, name);
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes) };
    return new Response(ReadableStream.from(chunks), { headers });
  });
  app.get('/v1/sessions/:group/:session/logs', async (c) => c.json(await api.logs(session(c))));

  app.get('/v1/dead', (c) => streamRows(api.deadLetters(parseInput(DEAD_FILTER, c.req.query()))));
  app.post('/v1/dead/retry', async (c) =>
    c.json(await api.retryDead(parseInput(DEAD_SELECTION, await body(c, IDS_BODY_BYTES)))),
  );
  app.post('/v1/dead/purge', async (c) =>
    c.json(await api.purgeDead(parseInput(DEAD_SELECTION, await body(c, IDS_BODY_BYTES)))),
  );
  // In the query: the ids of foreign messages may be anything.
  app.get('/v1/sessions/:group/:session/dead', async (c) =>
    c.json(await api.showDead(session(c), c.req.query('id') ?? '')),
  );
  app.get('/v1/schedules', (c) => streamRows(api.schedules({ session: c.req.query('session') })));
  app.get('/v1/sessions/:group/:session/schedule', async (c) =>
    c.json(await api.showSchedule(session(c), c.req.query('series') ?? '')),
  );
  app.post('/v1/sessions/:group/:session/schedule', async (c) => {
    const input = await body(c, desk.settings().messageMaxBytes + BODY_SLACK_BYTES);
    const { series, ...change } = parseInput(CHANGE_SCHEDULE, input);
    return c.json(await api.changeSchedule(session(c), series, change));
  });
  app.post('/v1/sweep', async (c) => c.json(await api.sweep(parseInput(SWEEP, await body(c)))));
  app.post('/v1/gc', async (c) => c.json(await api.gc(parseInput(GC, await body(c)))));
  app.post('/v1/import/nanoclaw', async (c) => c.json(await api.importNanoclaw(parseInput(IMPORT, await body(c)))));
  app.post('/v1/events', async (c) => {
    const input = parseInput(EVENT, await body(c, desk.settings().messageMaxBytes + BODY_SLACK_BYTES));
    return c.json(await api.route(input));
  });
  app.post('/v1/drain', async (c) => c.json(await api.drain()));
  app.post('/v1/config/reload', async (c) => c.json(await api.reloadSettings()));

  app.notFound(() => {
    const error = new NightporterError('usage', 'the daemon does not know this request: is it of another version?');
    return Response.json(errorBody(error), { status: HTTP_STATUS.usage });
  });
  app.onError((error) => {
    if (!(error instanceof NightporterError)) desk.log.error({ err: error }, 'request failed');
    const body = errorBody(error);
    return Response.json(body, { status: HTTP_STATUS[body.error.code] });
  });
  return app;
}
