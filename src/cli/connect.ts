import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findSocket } from '../desk/socket-place.js';
import { NightporterError } from '../protocol/errors.js';
import type { CommandContext, DeskConnection } from './context.js';
import { connectDaemon } from './daemon-client.js';
import type { DaemonConnection } from './daemon-client.js';
import type { LockTaken, OpenDesk } from './host.js';

/** How long a writing command waits for the socket or the lock. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 100;

/** The running daemon; undefined: none. */
export async function findDaemon({ dataDir }: { readonly dataDir: string }): Promise<DaemonConnection | undefined> {
  const socketPath = findSocket(dataDir);
  return socketPath === undefined ? undefined : connectDaemon(socketPath);
}

/** @throws NightporterError `not_found`: nothing was started there yet */
export function requireDataDir(dataDir: string): void {
  if (existsSync(join(dataDir, 'registry.db'))) return;
  throw new NightporterError(
    'not_found',
    `there is no data in ${dataDir}: name another folder with --data-dir, or begin with "nightporter start" or "send"`,
  );
}

/** To read: through the daemon, or read-only without one. Creates nothing. */
export async function openForReading(context: CommandContext): Promise<DeskConnection> {
  const daemon = await findDaemon(context);
  if (daemon !== undefined) return through(daemon);
  requireDataDir(context.dataDir);
  const opened = await (await context.host()).openDesk('read', context);
  if (opened.kind === 'locked') throw lockTaken(context.dataDir, opened.holder);
  return local(opened);
}

/** To write: through the daemon, or under the lock without one. Waits up to 5 s for either. */
export async function openForWriting(context: CommandContext): Promise<DeskConnection> {
  return untilFree(context.dataDir, async () => {
    const daemon = await findDaemon(context);
    if (daemon !== undefined) return { kind: 'done', value: through(daemon) };
    const opened = await (await context.host()).openDesk('write', context);
    return opened.kind === 'locked' ? opened : { kind: 'done', value: await local(opened) };
  });
}

/** Tries again while another process holds the data dir, for 5 s. @throws NightporterError `refused` */
export async function untilFree<T>(
  dataDir: string,
  attempt: () => Promise<{ readonly kind: 'done'; readonly value: T } | LockTaken>,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const result = await attempt();
    if (result.kind === 'done') return result.value;
    if (performance.now() >= deadline) throw lockTaken(dataDir, result.holder);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function through(daemon: DaemonConnection): DeskConnection {
  return { api: daemon.api, daemon: true, close: () => Promise.resolve() };
}

async function local(opened: OpenDesk): Promise<DeskConnection> {
  // Loaded only here: with a daemon none of it is needed.
  const { deskApi } = await import('../desk/desk-api.js');
  return { api: deskApi(opened.desk), daemon: false, close: () => opened.close() };
}

function lockTaken(dataDir: string, holder: string): NightporterError {
  return new NightporterError(
    'refused',
    `${dataDir} is held by ${holder}, which does not answer: wait for it to end, or look at what it does`,
  );
}
