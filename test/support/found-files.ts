import { existsSync } from 'node:fs';
import type { Registry } from '../../src/ports/registry.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import { parseInstant } from '../../src/protocol/times.js';
import { sessionPaths } from '../../src/store/session-files/session-paths.js';
import { withFile } from './played-runners.js';

/** A row of messages_in as it is on disk, read without any code of the host's. */
export interface FoundMessage {
  readonly id: string;
  readonly status: string;
  readonly timestamp: string;
  readonly process_after: string | null;
  readonly recurrence: string | null;
  readonly series_id: string | null;
  readonly occurrence: string | null;
  readonly trigger: number;
  readonly tries: number;
  readonly attempt: number;
  readonly deferrals: number;
  readonly settled_claim: string | null;
  readonly error: string | null;
  readonly error_class: string | null;
  readonly finished_at: string | null;
  readonly purged_at: string | null;
}

export interface FoundAck {
  readonly message_id: string;
  readonly status: string;
  readonly attempt: number | null;
}

export interface FoundFiles {
  readonly session: SessionAddress;
  readonly messages: readonly FoundMessage[];
  readonly acks: readonly FoundAck[];
}

/** What the files of all sessions in the registry say. A hot journal beside one of them makes it throw. */
export function findFiles(dataDir: string, registry: Registry): readonly FoundFiles[] {
  return [...registry.eachSession()].map(({ address: session }) => {
    const paths = sessionPaths(dataDir, session);
    return {
      session,
      messages: rowsOf(paths.inbound, 'messages_in', 'seq') as readonly FoundMessage[],
      acks: rowsOf(paths.outbound, 'processing_ack', 'message_id') as readonly FoundAck[],
    };
  });
}

function rowsOf(path: string, table: string, order: string): readonly unknown[] {
  if (!existsSync(path)) return [];
  return withFile(path, { readonly: true }, (db) => {
    const isThere = db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table) !== undefined;
    return isThere ? db.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).all() : [];
  });
}

export function isLive({ recurrence, status }: FoundMessage): boolean {
  return recurrence !== null && isUnfinished(status);
}

export function isUnfinished(status: string): boolean {
  return status === 'pending' || status === 'paused';
}

/** The ack of a message's present attempt. */
export function ackOf({ acks }: FoundFiles, { id, attempt }: FoundMessage): FoundAck | undefined {
  return acks.find((ack) => ack.message_id === id && (ack.attempt === null || ack.attempt === attempt));
}

/** Since when a container may take it. */
export function dueAtMs({ process_after: after, timestamp }: FoundMessage): number {
  return parseInstant(after ?? timestamp) ?? 0;
}
