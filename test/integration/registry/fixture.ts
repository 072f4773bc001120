import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { epochOf, splitAddress } from '../../../src/protocol/address.js';
import { openRegistry } from '../../../src/store/registry/open-registry.js';
import type { Epoch, MessageId, SessionAddress } from '../../../src/protocol/address.js';
import type { AcceptedMessage, LookFacts, Registry } from '../../../src/ports/registry.js';
import type { ContainerId } from '../../../src/ports/runtime.js';
import type { NewMessage } from '../../../src/ports/session-files.js';

/** A fresh folder, removed after the test. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'np-registry-'));
  onTestFinished(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

/** Opened for writing, closed after the test. */
export function openedRegistry(dataDir: string = temporaryDir()): Registry {
  const registry = openRegistry({ dataDir, mode: 'write' });
  onTestFinished(() => {
    registry.close();
  });
  return registry;
}

export function openedForReading(dataDir: string): Registry {
  const registry = openRegistry({ dataDir, mode: 'read' });
  onTestFinished(() => {
    registry.close();
  });
  return registry;
}

export function address(text: string): SessionAddress {
  return splitAddress(text as SessionAddress).address;
}

export function epoch(value: number): Epoch {
  return epochOf(value);
}

export function messageId(text: string): MessageId {
  return text as MessageId;
}

export function containerId(text: string): ContainerId {
  return text as ContainerId;
}

export function message(id: string, changes: Partial<NewMessage> = {}): NewMessage {
  return {
    id: messageId(id),
    kind: 'chat',
    timestampMs: 1_000,
    processAfterMs: null,
    trigger: true,
    onWake: false,
    content: '{"text":"hello"}',
    recurrence: null,
    seriesId: null,
    timezone: null,
    occurrenceMs: null,
    missed: null,
    ...changes,
  };
}

export function incoming(session: string, id: string, changes: Partial<NewMessage> = {}): AcceptedMessage {
  return { session: address(session), message: message(id, changes), acceptedAtMs: 1_000 };
}

export function created(registry: Registry, ...sessions: readonly string[]): void {
  for (const session of sessions) {
    registry.createSession({
      address: address(session),
      createdAtMs: 500,
      provider: null,
      image: null,
      command: null,
    });
  }
}

/** What a look at an empty session finds, but for `changes`. */
export function look(
  changes: Partial<Omit<LookFacts, 'counts'>> & { readonly counts?: Partial<LookFacts['counts']> } = {},
): LookFacts {
  return {
    nextDueAtMs: null,
    signature: null,
    lastActiveMs: null,
    liveSeries: 0,
    ...changes,
    counts: { pending: 0, processing: 0, completed: 0, failed: 0, paused: 0, ...changes.counts },
  };
}
