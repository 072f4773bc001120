import Database from 'better-sqlite3';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { auditFile, readRows } from './file-audit.js';
import type { Simulation } from './simulate.js';
import type { Truth } from './truth.js';

function select<T>(path: string, sql: string): T[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare<[], T>(sql).all();
  } finally {
    db.close();
  }
}

/** Every message that a sender was told is kept is kept: in the spool, or in its session's file. */
export function auditSpool(truth: Truth): void {
  const spool = select<{ id: string }>(join(truth.world.dataDir, 'registry.db'), 'SELECT id FROM spool');
  const kept = new Set(spool.map(({ id }) => id));
  const sessions = new Set([...truth.messages.values()].map(({ session }) => session));
  for (const session of sessions) {
    auditFile(truth, session);
    for (const { id } of readRows(truth, session) ?? []) kept.add(id);
  }
  for (const { id, session, isConfirmed, isGone } of truth.messages.values()) {
    if (isConfirmed && !isGone && !kept.has(id)) truth.world.violate(`${id} of ${session} was accepted and is lost`);
  }
}

/** After all faults are over and all that was due is done. */
export async function auditAtEnd({ world, truth, engine, host }: Simulation): Promise<void> {
  auditSpool(truth);
  const { violate } = {
    violate: (text: string) => {
      world.violate(text);
    },
  };
  const live = engine.live();
  if (live.length > 0)
    violate(`containers run although nothing is to do: ${live.map(({ session }) => session).join(', ')}`);
  const own = engine.runtime.containers().filter(({ state }) => state !== 'exited');
  if (own.length > 0) violate(`containers of this install are left: ${own.map(({ name }) => name).join(', ')}`);
  const [other] = engine.others();
  if (other?.state !== 'running') violate("another install's container does not run any more");
  if (host === null) {
    violate('no host runs');
    return;
  }
  if (host.rounds.state().running.length > 0) violate('the host believes that containers run');
  const sessions = new Set(
    [...truth.messages.values()].filter(({ isInFile }) => isInFile).map(({ session }) => session),
  );
  const counts = { completed: 0, failed: 0 };
  for (const session of sessions) {
    const { outbound } = world.paths(session);
    const claims = existsSync(outbound)
      ? select(outbound, "SELECT 1 FROM processing_ack WHERE status = 'processing'")
      : [];
    if (claims.length > 0) violate(`${session} has claims left behind`);
    for (const { status } of readRows(truth, session) ?? []) {
      if (status === 'completed' || status === 'failed') counts[status] += 1;
    }
    const known = host.registry.findSession(session);
    // It may have been deleted.
    if (known !== undefined && known.heldSinceMs !== null) violate(`${session} is held although all of it has ended`);
  }
  const { messages } = host.registry.totals();
  const told = { completed: messages.completed, failed: messages.failed };
  if (JSON.stringify(told) !== JSON.stringify(counts)) {
    violate(`the registry counts ${JSON.stringify(told)}, the files say ${JSON.stringify(counts)}`);
  }
  if (messages.spooled > 0 || messages.pending > 0 || messages.processing > 0) {
    violate(`the registry believes that something waits: ${JSON.stringify(messages)}`);
  }
  await Promise.resolve();
}
