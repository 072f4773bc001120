import type { MessageId, SessionAddress } from '../protocol/address.js';
import { NightporterError } from '../protocol/errors.js';
import type { AcceptBatch, AcceptedMessage, AcceptResult } from '../ports/registry.js';
import { BATCH_MAX_BYTES, BATCH_MAX_LINES } from './batch-limits.js';
import type { Desk } from './desk.js';
import { BATCH_LINE, decodeUtf8, parseInput, parseJson } from './parse-input.js';
import type { Line } from './read-lines.js';
import { readLines } from './read-lines.js';
import { explainRefusal, readMessage } from './send-message.js';
import type { BatchView } from './views.js';

/** Field names and escapes beside a message's content. */
const LINE_SLACK_BYTES = 64 * 1024;
const REFUSALS_SHOWN = 1_000;
/** Others get a turn after so many lines, or so much content. */
const LINES_PER_TURN = 200;
const CHARS_PER_TURN = 1024 * 1024;

/** What is remembered of a message until the batch is accepted. */
interface Entry {
  readonly line: number;
  readonly session: SessionAddress;
  readonly id: MessageId;
}

/**
 * Accepts NDJSON of `SendInput` in one commit: all lines or none. What is read is kept aside in the registry, not in memory.
 * @param session that of lines which name none
 * @throws NightporterError `usage` or `refused` that lists every refused line with its number and why
 */
export async function sendBatch(
  desk: Desk,
  bytes: AsyncIterable<Uint8Array>,
  session: string | undefined,
): Promise<BatchView> {
  const batch = desk.registry.beginBatch();
  try {
    const entries = await readBatch(desk, batch, bytes, session);
    const { accepted, duplicates, refused } = batch.commit();
    if (refused.length > 0) {
      const refusals = new Refusals();
      for (const { index, result } of refused) refusals.add(entries[index]?.line ?? 0, explain(entries, index, result));
      throw refusals.error('refused');
    }
    for (const address of new Set(entries.map((entry) => entry.session))) desk.rounds?.hint(address);
    return { accepted, duplicates };
  } finally {
    batch.discard();
  }
}

async function readBatch(
  desk: Desk,
  batch: AcceptBatch,
  bytes: AsyncIterable<Uint8Array>,
  session: string | undefined,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  const refusals = new Refusals();
  let part: AcceptedMessage[] = [];
  let chars = 0;
  let lines = 0;
  const keep = async (): Promise<void> => {
    // Nothing will be accepted: the rest is only looked at.
    if (refusals.count === 0) batch.add(part);
    part = [];
    chars = 0;
    await new Promise(setImmediate);
  };
  for await (const line of readLines(bounded(bytes), desk.settings().messageMaxBytes + LINE_SLACK_BYTES)) {
    lines += 1;
    if (lines > BATCH_MAX_LINES) continue;
    try {
      const message = readLine(desk, line, session);
      if (message !== undefined && refusals.count === 0) {
        part.push(message);
        chars += message.message.content.length;
        entries.push({ line: line.number, session: message.session, id: message.message.id });
      }
    } catch (error) {
      if (!(error instanceof NightporterError)) throw error;
      refusals.add(line.number, error.message);
    }
    if (lines % LINES_PER_TURN === 0 || chars >= CHARS_PER_TURN) await keep();
  }
  if (lines > BATCH_MAX_LINES) {
    throw new NightporterError(
      'usage',
      `nothing was accepted: the batch has ${lines} lines, the most is ${BATCH_MAX_LINES}: send it in parts`,
    );
  }
  if (refusals.count > 0) throw refusals.error('usage');
  await keep();
  return entries;
}

function explain(entries: readonly Entry[], index: number, result: AcceptResult): string {
  const entry = entries[index];
  if (entry === undefined) return result.kind;
  const { session, id } = entry;
  const first = entries.findIndex((other) => other.id === id && other.session === session);
  if (result.kind === 'conflict' && first < index) {
    return `message ${id} of ${session} is in line ${entries[first]?.line ?? 0} with other content: give one of them another id`;
  }
  return explainRefusal(session, id, result) ?? result.kind;
}

/** Keeps the first refused lines and counts the rest, however many there are. */
class Refusals {
  count = 0;
  readonly #shown: string[] = [];

  add(line: number, why: string): void {
    this.count += 1;
    if (this.#shown.length < REFUSALS_SHOWN) this.#shown.push(`  line ${line}: ${why}`);
  }

  error(code: 'usage' | 'refused'): NightporterError {
    const rest = this.count - this.#shown.length;
    const more = rest > 0 ? [`  and ${rest} more`] : [];
    const lines = this.count === 1 ? '1 line is' : `${this.count} lines are`;
    return new NightporterError(code, [`nothing was accepted: ${lines} refused`, ...this.#shown, ...more].join('\n'));
  }
}

function readLine(desk: Desk, line: Line, session: string | undefined): AcceptedMessage | undefined {
  if (line.bytes === undefined) {
    const limit = desk.settings().messageMaxBytes;
    throw new NightporterError('usage', `longer than a message may be (MESSAGE_MAX_BYTES ${limit})`);
  }
  const text = decodeUtf8(line.bytes).trim();
  if (text === '') return undefined;
  const value = parseJson(text);
  if (isPlainObject(value) && ('attach' in value || 'attachments' in value)) {
    throw new NightporterError(
      'usage',
      'a batch takes no attachments: send this message by itself, with "nightporter send --attach"',
    );
  }
  const complete = session !== undefined && isPlainObject(value) ? { session, ...value } : value;
  return readMessage(desk, parseInput(BATCH_LINE, complete));
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads to the end even when it is too much: whoever sends must get to read the answer. */
async function* bounded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of bytes) {
    total += chunk.byteLength;
    if (total <= BATCH_MAX_BYTES) yield chunk;
  }
  if (total > BATCH_MAX_BYTES) {
    throw new NightporterError(
      'usage',
      `nothing was accepted: the batch is ${total} bytes, the most is ${BATCH_MAX_BYTES}: send it in parts`,
    );
  }
}
