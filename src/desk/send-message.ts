import type { MessageId, SessionAddress } from '../protocol/address.js';
import type { ListedAttachment } from '../protocol/attachments.js';
import { NightporterError } from '../protocol/errors.js';
import type { NewMessage } from '../ports/session-files.js';
import { INBOX_FOLDER } from '../protocol/workspace.js';
import type { StagedFile } from '../ports/staging.js';
import type { AcceptedMessage, AcceptResult } from '../ports/registry.js';
import type { SendInput } from './api.js';
import type { Desk } from './desk.js';
import { dropUnsent, requireAttachments } from './stage-attachment.js';
import { requireAddress, requireInstant, requireName } from './input-texts.js';
import { requireCron, requireMissed, requireNext, requireZone } from './schedule/input-schedule.js';
import type { SentView } from './views.js';

/**
 * Accepts one message into the spool: once this returns it is durable. The session is created where there is none.
 * @throws NightporterError `usage` (input), `refused` (id known with other content, case twin, closed session)
 */
export async function sendMessage(desk: Desk, input: SendInput): Promise<SentView> {
  const attachments = input.attachments ?? [];
  try {
    const sent = acceptMessage(desk, input);
    if (sent.duplicate) await dropUnsent(desk, attachments);
    return sent;
  } catch (error) {
    await dropUnsent(desk, attachments);
    throw error;
  }
}

function acceptMessage(desk: Desk, input: SendInput): SentView {
  const accepted = readMessage(desk, input);
  const result = desk.registry.accept(accepted);
  const refusal = explainRefusal(accepted.session, accepted.message.id, result);
  if (refusal !== undefined) throw new NightporterError('refused', refusal);
  desk.rounds?.hint(accepted.session);
  return { session: accepted.session, id: accepted.message.id, duplicate: result.kind === 'duplicate' };
}

/** The message that an input asks for. @throws NightporterError `usage` */
export function readMessage(desk: Desk, input: SendInput): AcceptedMessage {
  const { address } = requireAddress(input.session);
  const id = input.id === undefined ? desk.random.id() : requireName(input.id, 'message id');
  const kind = requireName(input.kind ?? 'chat', 'kind of message');
  const afterMs = input.after === undefined ? null : requireInstant(input.after, 'after');
  const attachments = input.attachments ?? [];
  requireAttachments(desk, attachments);
  const content = requireContent(desk, { text: input.text, ...listed(id, attachments) });
  const nowMs = desk.clock.now();
  return {
    session: address,
    acceptedAtMs: nowMs,
    message: {
      id: id as MessageId,
      kind,
      timestampMs: nowMs,
      processAfterMs: afterMs,
      trigger: input.noWake !== true,
      onWake: false,
      content,
      recurrence: null,
      seriesId: null,
      timezone: null,
      occurrenceMs: null,
      missed: null,
      ...(attachments.length === 0 ? {} : { attachments }),
      ...seriesOf(desk, input, id, Math.max(nowMs, afterMs ?? nowMs)),
    },
  };
}

/** What makes a message the first of a series; it fires first at the first time after `afterMs`. */
function seriesOf(desk: Desk, input: SendInput, id: string, afterMs: number): Partial<NewMessage> {
  const { cron, tz, missed } = input;
  if (cron === undefined) {
    const extra = tz !== undefined ? 'a time zone (tz)' : missed !== undefined ? 'a policy (missed)' : undefined;
    if (extra === undefined) return {};
    throw new NightporterError('usage', `${extra} belongs to a recurring message: name its schedule too (cron)`);
  }
  if (input.noWake === true) {
    throw new NightporterError('usage', 'a recurring message wakes its session: leave out one of cron and noWake');
  }
  if (input.attachments !== undefined && input.attachments.length > 0) {
    throw new NightporterError('usage', 'a recurring message takes no attachments: they belong to one message');
  }
  const recurrence = requireCron(cron);
  const timezone = tz === undefined ? null : requireZone(tz);
  const firstMs = requireNext(recurrence, timezone ?? desk.settings().timezone, afterMs - 1);
  return {
    recurrence,
    seriesId: id,
    timezone,
    missed: missed === undefined ? 'latest' : requireMissed(missed),
    processAfterMs: firstMs,
    occurrenceMs: firstMs,
  };
}

/** The content of a message as JSON text. @throws NightporterError `usage`: it is over the limit */
export function requireContent(desk: Desk, value: { readonly text: string }): string {
  const content = JSON.stringify(value);
  const bytes = Buffer.byteLength(content);
  const limit = desk.settings().messageMaxBytes;
  if (bytes <= limit) return content;
  throw new NightporterError(
    'usage',
    `the message is ${bytes} bytes as JSON, the most is ${limit} (MESSAGE_MAX_BYTES): send less, or a path to it`,
  );
}

function listed(id: string, files: readonly StagedFile[]): { readonly attachments?: readonly ListedAttachment[] } {
  if (files.length === 0) return {};
  return { attachments: files.map(({ name, bytes }) => ({ name, path: `${INBOX_FOLDER}/${id}/${name}`, bytes })) };
}

/** Why a message was not accepted; undefined when it was. */
export function explainRefusal(session: SessionAddress, id: MessageId, result: AcceptResult): string | undefined {
  switch (result.kind) {
    case 'accepted':
    case 'duplicate':
      return undefined;
    case 'conflict':
      return `message ${id} of ${session} is known with other content: send this one under another id`;
    case 'case_twin':
      return explainCaseTwin(session, result.other);
    case 'session_closed':
      return `session ${session} is closed: reopen it with "nightporter session reopen ${session}"`;
  }
}

export function explainCaseTwin(session: string, other: string): string {
  return `${session} differs only in case from the existing session ${other}: use that one, or another name`;
}
