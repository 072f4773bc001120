import type { MessageId, SessionAddress } from '../../protocol/address.js';
import type { MessageStatus, MissedPolicy } from '../../protocol/rows.js';

/** What was found in a NanoClaw v2 installation, as far as it can be trusted: texts within limits, else null. */
export interface ForeignGroup {
  readonly id: string;
  readonly name: string | null;
  readonly folder: string | null;
  readonly provider: string | null;
  /** Zone of its series, where it has one of its own. */
  readonly zone: string | null;
}

export interface ForeignSession {
  readonly id: string;
  readonly group: string;
  readonly status: string | null;
  readonly provider: string | null;
  /** What its channel calls the place. */
  readonly title: string | null;
  readonly thread: string | null;
  readonly createdAt: string | null;
  readonly isRunning: boolean;
}

export interface ForeignAck {
  readonly status: string | null;
  readonly changedAt: string | null;
}

/** A row of `messages_in` that carries a recurrence, without its content. */
export interface ForeignSeriesRow {
  readonly id: string;
  readonly seriesId: string | null;
  readonly status: string | null;
  readonly recurrence: string;
  readonly processAfter: string | null;
  readonly ack: ForeignAck | null;
}

export interface ForeignMessage {
  /** Where to go on. */
  readonly mark: number;
  readonly id: string | null;
  readonly seq: number | null;
  readonly kind: string | null;
  readonly timestamp: string | null;
  readonly status: string | null;
  readonly processAfter: string | null;
  readonly seriesId: string | null;
  readonly tries: number | null;
  readonly trigger: number | null;
  readonly onWake: number | null;
  readonly platformId: string | null;
  readonly channelType: string | null;
  readonly threadId: string | null;
  readonly sourceSessionId: string | null;
  /** null: over the limit. */
  readonly content: string | null;
  readonly ack: ForeignAck | null;
}

export interface ForeignAnswer {
  readonly mark: number;
  readonly id: string | null;
  readonly seq: number | null;
  readonly inReplyTo: string | null;
  readonly timestamp: string | null;
  readonly deliverAfter: string | null;
  readonly kind: string | null;
  readonly platformId: string | null;
  readonly channelType: string | null;
  readonly threadId: string | null;
  readonly content: string | null;
  /** When and as what it was delivered; null: it was not. */
  readonly delivered: {
    readonly at: string | null;
    readonly platformId: string | null;
    readonly status: string | null;
  } | null;
}

/** A file in the inbox or outbox of a message. */
export interface ForeignFile {
  readonly name: string;
  readonly bytes: number;
}

/** A whole row of `messages_in`, as it is written into the files of a session that is new. */
export interface ImportedMessage {
  readonly id: MessageId;
  /** null: behind all others. */
  readonly seq: number | null;
  readonly kind: string;
  readonly timestampMs: number;
  readonly status: MessageStatus;
  readonly processAfterMs: number | null;
  readonly recurrence: string | null;
  readonly seriesId: string | null;
  readonly timezone: string | null;
  readonly occurrenceMs: number | null;
  readonly missed: MissedPolicy | null;
  readonly tries: number;
  readonly trigger: boolean;
  readonly onWake: boolean;
  readonly platformId: string | null;
  readonly channelType: string | null;
  readonly threadId: string | null;
  readonly sourceSessionId: string | null;
  readonly content: string;
  readonly finishedAtMs: number | null;
  readonly error: string | null;
}

export interface ImportedAnswer {
  readonly id: string;
  readonly seq: number | null;
  readonly inReplyTo: string | null;
  readonly timestamp: string;
  readonly deliverAfter: string | null;
  readonly kind: string;
  readonly platformId: string | null;
  readonly channelType: string | null;
  readonly threadId: string | null;
  readonly content: string;
  readonly delivered: ForeignAnswer['delivered'];
}

/** A session as it will be here. */
export interface ImportedSession {
  readonly address: SessionAddress;
  readonly from: ForeignSession;
  readonly status: 'active' | 'closed';
  readonly provider: string | null;
  readonly project: string | null;
  readonly title: string | null;
  readonly createdAtMs: number;
  /** Of its series. */
  readonly zone: string;
  /** What its names had been, where they could not stay. */
  readonly renamedFrom: string | null;
  /** It was brought before, as what it is named. */
  readonly isKnown: boolean;
}

/** `left`: not brought; `changed`: brought, but not as it was. */
export interface ImportNote {
  readonly kind: 'left' | 'changed';
  readonly reason: string;
  /** What it is said of: an id, a file. */
  readonly of: string;
}
