import { StringDecoder } from 'node:string_decoder';
import { findAddress } from '../../protocol/address.js';
import type { Epoch } from '../../protocol/address.js';
import { RuntimeUnavailable } from '../../protocol/errors.js';
import type { RuntimeEvent } from '../../ports/runtime.js';
import { LABELS } from '../spec-labels.js';
import { messageOf } from './engine-errors.js';
import type { Engine } from './engine.js';

/** A line longer than this is no event of ours. */
const LINE_LIMIT_CHARS = 1024 * 1024;

export interface EventSource {
  readonly engine: Engine;
  /** `nightporter.install=...`. */
  readonly label: string;
  readonly sinceMs: number;
  /** How long the stream may be silent until the engine is asked whether it still lives. */
  readonly pingAfterMs: number;
}

/** Starts and exits until the signal aborts; throws RuntimeUnavailable when the stream breaks or the engine is gone. */
export async function* containerEvents(source: EventSource, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
  if (signal.aborted) return;
  const { engine } = source;
  const { stream, close } = await engine.events([source.label], source.sinceMs);
  let lost: unknown;
  let probing = false;
  const probe = setInterval(() => {
    if (probing) return;
    probing = true;
    engine
      .ping()
      .catch((error: unknown) => {
        lost = error;
        close();
      })
      .finally(() => (probing = false));
  }, source.pingAfterMs);
  signal.addEventListener('abort', close, { once: true });
  try {
    if (signal.aborted as boolean) return;
    for await (const line of linesOf(stream)) {
      probe.refresh();
      const event = parseEvent(line);
      if (event !== undefined) yield event;
      if (signal.aborted as boolean) return;
    }
    if (lost !== undefined) throw asError(lost);
  } catch (error) {
    if (signal.aborted as boolean) return;
    if (lost instanceof Error) throw lost;
    if (error instanceof RuntimeUnavailable) throw error;
    throw new RuntimeUnavailable(`events: the stream of the engine at ${engine.url} broke: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    clearInterval(probe);
    signal.removeEventListener('abort', close);
    close();
  }
}

/** Lines of a stream, however it is cut into chunks; a last line without an end is incomplete and left out. */
export async function* linesOf(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.write(chunk);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_LIMIT_CHARS) rest = '';
    for (const line of lines) if (line.trim() !== '') yield line;
  }
}

/** Undefined: not JSON, not a start or exit, or not of a session. */
export function parseEvent(line: string): RuntimeEvent | undefined {
  const event = parseObject(line);
  const action = event?.['Action'] ?? event?.['status'];
  const kind = action === 'start' ? 'started' : action === 'die' || action === 'died' ? 'exited' : undefined;
  const attributes = objectAt(objectAt(event, 'Actor'), 'Attributes');
  const session = findAddress(textAt(attributes, LABELS.session))?.address;
  const epoch = textAt(attributes, LABELS.epoch);
  if (kind === undefined || session === undefined || !/^\d{1,15}$/.test(epoch)) return undefined;
  return { kind, session, epoch: Number(epoch) as Epoch };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // a line that the engine broke off; the next list tells the truth
  }
}

function objectAt(value: Record<string, unknown> | undefined, key: string): Record<string, unknown> | undefined {
  const found = value?.[key];
  return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : undefined;
}

function textAt(value: Record<string, unknown> | undefined, key: string): string {
  const found = value?.[key];
  return typeof found === 'string' ? found : '';
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
