import { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { deskApi } from '../desk/desk-api.js';
import type { Desk } from '../desk/desk.js';
import type { MetricsPage } from '../observe/metrics.js';
import { listenPrivately, prepareSocket, removeNoted } from './socket.js';
import { routes } from './routes.js';

/** How long answers under way may take when the daemon ends. */
const CLOSE_GRACE_MS = 2_000;

export interface HttpServer {
  readonly socketPath: string;
  /** Finishes answers under way (2 s at most), removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves the desk on the data dir's socket, mode 0600. Only for the holder of the host lock.
 * @throws NightporterError `failed` when the socket's place is taken by something else
 */
export async function serveHttp({
  desk,
  metrics,
  env = process.env,
}: {
  readonly desk: Desk;
  /** Default: there is no such page. */
  readonly metrics?: MetricsPage;
  /** For XDG_RUNTIME_DIR. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}): Promise<HttpServer> {
  const { dataDir } = desk.settings();
  const socketPath = prepareSocket(dataDir, env);
  const app = routes(desk, deskApi(desk), metrics);
  const server = createAdaptorServer({
    fetch: (request, bindings) => ('incoming' in bindings ? app.fetch(request, bindings) : app.fetch(request)),
    overrideGlobalObjects: false,
  });
  if (!(server instanceof Server)) throw new Error('not a plain HTTP server');
  // Whoever reads the body says first that it may come: who is refused before has not begun to send it.
  server.on('checkContinue', (incoming, outgoing) => server.emit('request', incoming, outgoing));
  await listenPrivately(server, socketPath);
  // A drain may take minutes; a large batch on a slow pipe too.
  server.requestTimeout = 0;
  server.on('error', (error) => {
    desk.log.error({ err: error }, 'http server failed');
  });
  desk.log.info({ socketPath }, 'listening');

  let closing: Promise<void> | undefined;
  return {
    socketPath,
    close() {
      closing ??= close(server).then(() => {
        removeNoted(dataDir);
      });
      return closing;
    },
  };
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    server.closeAllConnections();
  }, CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}
