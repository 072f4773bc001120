import type { MessageId } from '../../protocol/address.js';
import { parseInstant } from '../../protocol/times.js';
import { occurrenceId } from '../plan/recur.js';
import { nextOccurrence } from '../schedule/occurrences.js';
import type {
  ForeignAnswer,
  ForeignFile,
  ForeignMessage,
  ImportedAnswer,
  ImportedMessage,
  ImportNote,
} from './foreign.js';
import { mapContent } from './content.js';
import { nameOf } from './names.js';
import { endingOf } from './series.js';
import type { SeriesPlan } from './series.js';

const MOST_TRIES = 1_000;

export interface MessageContext {
  readonly zone: string;
  readonly nowMs: number;
  readonly series: SeriesPlan;
  /** Of the message: its inbox. */
  readonly files: readonly ForeignFile[];
}

export interface MappedMessage {
  readonly rows: readonly ImportedMessage[];
  readonly notes: readonly ImportNote[];
}

/** What a row of `messages_in` becomes here: a row, two where a series goes on after it, none where it cannot be brought. */
export function mapMessage(message: ForeignMessage, context: MessageContext): MappedMessage {
  const { id, content } = message;
  const left = (reason: string): MappedMessage => ({
    rows: [],
    notes: [{ kind: 'left', reason, of: id ?? `row ${message.mark}` }],
  });
  if (id === null || id === '') return left('a message without a readable id');
  if (content === null) return left('a message whose content is over the limit (MESSAGE_MAX_BYTES)');
  const ending = endingOf(message);
  if (ending !== undefined) return ended(message, id, content, ending, context);
  const role = context.series.roles.get(id);
  const paused = message.status === 'paused';
  if (role?.kind === 'left') return left(`a series: ${role.why}`);
  if (!paused && message.status !== 'pending' && message.status !== 'processing' && message.status !== null) {
    return left(`a message of a status that is unknown here (${JSON.stringify(message.status.slice(0, 40))})`);
  }
  const dueMs = message.processAfter === null ? null : parseInstant(message.processAfter);
  if (dueMs === undefined) return left('a message whose process_after is no time');
  const base = rowOf(message, id, content, context);
  if (role?.kind !== 'live') {
    if (paused) return left('a paused task that does not recur: nothing would ever resume it here');
    const secondRow = note('changed', 'a second row of a series that goes on: it runs once', id);
    const row = { ...base.row, status: 'pending', processAfterMs: dueMs } as const;
    return { rows: [row], notes: [...base.notes, ...(role === undefined ? [] : [secondRow])] };
  }
  const occurrenceMs = dueMs ?? base.row.timestampMs;
  const row: ImportedMessage = {
    ...base.row,
    ...liveSeries(message, id, role.recurrence, context.zone, occurrenceMs),
    status: paused ? 'paused' : 'pending',
  };
  return { rows: [row], notes: base.notes };
}

function ended(
  message: ForeignMessage,
  id: string,
  content: string,
  status: 'completed' | 'failed',
  context: MessageContext,
): MappedMessage {
  const { nowMs, series: plan, zone } = context;
  const { row, notes } = rowOf(message, id, content, context);
  const finishedMs = instantOf(message.ack?.changedAt) ?? instantOf(message.processAfter) ?? row.timestampMs;
  const history: ImportedMessage = {
    ...row,
    status,
    processAfterMs: instantOf(message.processAfter) ?? null,
    finishedAtMs: Math.min(finishedMs, nowMs),
    error: status === 'failed' ? 'failed in NanoClaw' : null,
  };
  const role = plan.roles.get(id);
  if (role?.kind === 'left') return { rows: [history], notes: [...notes, note('left', `a series: ${role.why}`, id)] };
  if (role?.kind !== 'successor') return { rows: [history], notes };
  const nextMs = nextOccurrence({ cron: role.cron, zone }, nowMs);
  if (nextMs === undefined)
    return { rows: [history], notes: [...notes, note('left', 'a series that never fires again', id)] };
  const series = liveSeries(message, id, role.recurrence, zone, nextMs);
  const successor: ImportedMessage = {
    ...row,
    ...series,
    id: occurrenceId(series.seriesId, nextMs),
    seq: null,
    timestampMs: nowMs,
    tries: 0,
    status: 'pending',
  };
  const reason = `a series whose last occurrence had ${status}: it goes on with the next one`;
  return {
    rows: [{ ...history, seriesId: series.seriesId }, successor],
    notes: [...notes, note('changed', reason, id)],
  };
}

function liveSeries(message: ForeignMessage, id: string, recurrence: string, zone: string, occurrenceMs: number) {
  return {
    recurrence,
    seriesId: nameOf(message.seriesId ?? id),
    timezone: zone,
    missed: 'latest' as const,
    occurrenceMs,
    processAfterMs: occurrenceMs,
  };
}

/** What is the same whatever becomes of it: unfinished, of no live series. */
function rowOf(
  message: ForeignMessage,
  id: string,
  text: string,
  { nowMs, files, series }: MessageContext,
): { readonly row: ImportedMessage; readonly notes: readonly ImportNote[] } {
  const newId = nameOf(id) as MessageId;
  const { seriesId, seq } = message;
  const row: ImportedMessage = {
    id: newId,
    seq: seq !== null && seq > 0 ? seq : null,
    kind: message.kind ?? 'chat',
    timestampMs: Math.min(instantOf(message.timestamp) ?? nowMs, nowMs),
    status: 'pending',
    processAfterMs: null,
    recurrence: null,
    // There every message is a series of its own.
    seriesId: seriesId !== null && (seriesId !== id || series.ids.has(id)) ? nameOf(seriesId) : null,
    timezone: null,
    occurrenceMs: null,
    missed: null,
    tries: Math.min(Math.max(message.tries ?? 0, 0), MOST_TRIES),
    trigger: message.trigger !== 0,
    onWake: message.onWake === 1,
    platformId: message.platformId,
    channelType: message.channelType,
    threadId: message.threadId,
    sourceSessionId: message.sourceSessionId,
    content: mapContent(text, newId, files),
    finishedAtMs: null,
    error: null,
  };
  return {
    row,
    notes: newId === id ? [] : [note('changed', 'an id of a message that does not fit has a new one', id)],
  };
}

/** What a row of `messages_out` becomes here. */
export function mapAnswer(answer: ForeignAnswer): {
  readonly row: ImportedAnswer | null;
  readonly notes: readonly ImportNote[];
} {
  const { id, content, inReplyTo } = answer;
  const left = (reason: string) => ({ row: null, notes: [note('left', reason, id ?? `row ${answer.mark}`)] });
  if (id === null || id === '') return left('an answer without a readable id');
  if (content === null) return left('an answer whose content is over the limit (MESSAGE_MAX_BYTES)');
  const newId = nameOf(id);
  const row: ImportedAnswer = {
    id: newId,
    seq: answer.seq,
    inReplyTo: inReplyTo === null ? null : nameOf(inReplyTo),
    timestamp: answer.timestamp ?? '',
    deliverAfter: answer.deliverAfter,
    kind: answer.kind ?? 'chat',
    platformId: answer.platformId,
    channelType: answer.channelType,
    threadId: answer.threadId,
    content,
    delivered: answer.delivered,
  };
  return {
    row,
    notes: newId === id ? [] : [note('changed', 'an id of an answer that does not fit has a new one', id)],
  };
}

function note(kind: ImportNote['kind'], reason: string, of: string): ImportNote {
  return { kind, reason, of };
}

function instantOf(text: string | null | undefined): number | undefined {
  return text === null || text === undefined ? undefined : parseInstant(text);
}
