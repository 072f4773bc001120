import { NightporterError } from '../protocol/errors.js';
import type { AcceptedMessage } from '../ports/registry.js';
import type { Desk } from './desk.js';
import { decodeUtf8, parseInput, parseJson, SEND } from './parse-input.js';
import type { Line } from './read-lines.js';
import { readLines } from './read-lines.js';
import { explainRefusal, readMessage } from './send-message.js';
import type { BatchView } from './views.js';

/** Field names and escapes beside a message's content. */
const LINE_SLACK_BYTES = 64 * 1024;
/** The whole batch is one commit: this bounds what it holds in memory. */
export const BATCH_MAX_BYTES = 256 * 1024 * 1024;
const REFUSALS_SHOWN = 1_000;
/** Small lines are parsed this many at a time before others get a turn. */
const LINES_PER_TURN = 500;

interface Refusal {
  readonly line: number;
  readonly why: string;
}

/**
 * Accepts NDJSON of `SendInput` in one commit: all lines or none.
 * @param session that of lines which name none
 * @throws NightporterError `usage` or `refused` that lists every refused line with its number and why
 */
export async function sendBatch(
  desk: Desk,
  bytes: AsyncIterable<Uint8Array>,
  session: string | undefined,
): Promise<BatchView> {
  const messages: AcceptedMessage[] = [];
  const lineOf: number[] = [];
  const refusals: Refusal[] = [];
  let lines = 0;
  for await (const line of readLines(bounded(bytes), desk.settings.messageMaxBytes + LINE_SLACK_BYTES)) {
    try {
      const message = readLine(desk, line, session);
      if (message !== undefined) {
        messages.push(message);
        lineOf.push(line.number);
      }
    } catch (error) {
      if (!(error instanceof NightporterError)) throw error;
      refusals.push({ line: line.number, why: error.message });
    }
    lines += 1;
    if (lines % LINES_PER_TURN === 0) await new Promise(setImmediate);
  }
  if (refusals.length > 0) throw batchRefused('usage', refusals);

  const { accepted, duplicates, refused } = desk.registry.acceptAll(messages);
  if (refused.length > 0) {
    const why = refused.map(({ index, result }) => {
      const message = messages[index];
      const reason = message === undefined ? undefined : explainRefusal(message, result);
      return { line: lineOf[index] ?? 0, why: reason ?? result.kind };
    });
    throw batchRefused('refused', why);
  }
  for (const address of new Set(messages.map((message) => message.session))) desk.rounds?.hint(address);
  return { accepted, duplicates };
}

function readLine(desk: Desk, line: Line, session: string | undefined): AcceptedMessage | undefined {
  if (line.bytes === undefined) {
    const limit = desk.settings.messageMaxBytes;
    throw new NightporterError('usage', `longer than a message may be (MESSAGE_MAX_BYTES ${limit})`);
  }
  const text = decodeUtf8(line.bytes).trim();
  if (text === '') return undefined;
  const value = parseJson(text);
  const complete = session !== undefined && isPlainObject(value) ? { session, ...value } : value;
  return readMessage(desk, parseInput(SEND, complete));
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
      `the batch is ${total} bytes, the most is ${BATCH_MAX_BYTES}: send it in parts`,
    );
  }
}

function batchRefused(code: 'usage' | 'refused', refusals: readonly Refusal[]): NightporterError {
  const shown = refusals.slice(0, REFUSALS_SHOWN).map(({ line, why }) => `  line ${line}: ${why}`);
  const rest = refusals.length - shown.length;
  const more = rest > 0 ? [`  and ${rest} more`] : [];
  const lines = refusals.length === 1 ? '1 line is' : `${refusals.length} lines are`;
  return new NightporterError(code, [`nothing was accepted: ${lines} refused`, ...shown, ...more].join('\n'));
}
