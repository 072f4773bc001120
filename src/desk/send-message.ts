import type { MessageId, SessionAddress } from '../protocol/address.js';
import { NightporterError } from '../protocol/errors.js';
import type { AcceptedMessage, AcceptResult } from '../ports/registry.js';
import type { SendInput } from './api.js';
import type { Desk } from './desk.js';
import { requireAddress, requireInstant, requireName } from './input-texts.js';
import type { SentView } from './views.js';

/**
 * Accepts one message into the spool: once this returns it is durable. The session is created where there is none.
 * @throws NightporterError `usage` (input), `refused` (id known with other content, case twin, closed session)
 */
export function sendMessage(desk: Desk, input: SendInput): SentView {
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
  const processAfterMs = input.after === undefined ? null : requireInstant(input.after, 'after');
  const content = JSON.stringify({ text: input.text });
  const bytes = Buffer.byteLength(content);
  const limit = desk.settings.messageMaxBytes;
  if (bytes > limit) {
    throw new NightporterError(
      'usage',
      `the message is ${bytes} bytes as JSON, the most is ${limit} (MESSAGE_MAX_BYTES): send less, or a path to it`,
    );
  }
  const nowMs = desk.clock.now();
  return {
    session: address,
    acceptedAtMs: nowMs,
    message: {
      id: id as MessageId,
      kind,
      timestampMs: nowMs,
      processAfterMs,
      trigger: input.noWake !== true,
      onWake: false,
      content,
      recurrence: null,
      seriesId: null,
      timezone: null,
      occurrenceMs: null,
      missed: null,
    },
  };
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
