import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineAddress } from '../../src/runtime/docker/engine-address.js';

/** Something that listens like an engine on a unix socket of its own. */
export interface StandIn {
  readonly address: EngineAddress;
  /** Connections that are open now. */
  openConnections(): number;
  /** Ends all open connections without a word. */
  cut(): void;
  close(): Promise<void>;
}

/** Accepts, and never answers. */
export async function startHungEngine(): Promise<StandIn> {
  return listen(net.createServer((socket) => socket.resume().on('error', ignore)));
}

/** True: the interceptor answers, or holds, the request itself. */
export type Interceptor = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

/** Passes requests on to the engine behind `socketPath`, those aside that `intercept` takes. */
export async function startEngineProxy(socketPath: string, intercept: Interceptor = () => false): Promise<StandIn> {
  const server = http.createServer((request, response) => {
    if (intercept(request, response)) return;
    const { method, url: path, headers } = request;
    const onward = http.request({ socketPath, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      response.flushHeaders();
      answer.on('error', ignore).pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  return listen(server);
}

async function listen(server: net.Server): Promise<StandIn> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const folder = await mkdtemp(join(tmpdir(), 'np-engine-'));
  const path = join(folder, 'engine.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: { url: `unix://${path}`, source: 'test' },
    openConnections: () => sockets.size,
    cut,
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function ignore(): void {
  // The other side went away, as the test wanted.
}
