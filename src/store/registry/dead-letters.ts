import { epochOf } from '../../protocol/address.js';
import type { ReplayRequest } from '../../core/facts.js';
import type { Registry, TurnEnd } from '../../ports/registry.js';
import type { Connection } from './connection.js';
import { RowReader } from './rows.js';
import { LOWER_NEXT_DUE } from './sessions.js';

type DeadLetters = Pick<
  Registry,
  'requestReplays' | 'replays' | 'dropReplays' | 'recordTurnEnds' | 'turnEnds' | 'failures' | 'countDead'
>;

const MOST_ENDS = 500;
const OUTCOMES: Readonly<Record<TurnEnd['outcome'], true>> = { complete: true, fail: true, retry: true, defer: true };

export function deadLetters(connection: Connection): DeadLetters {
  // Of a session that was deleted meanwhile nothing is kept.
  const insertReplay = connection.prepare(
    `INSERT INTO replays (session, id, attempt, requested_at)
     SELECT address, @id, @attempt, @at FROM sessions WHERE address = @session
     ON CONFLICT (session, id) DO UPDATE SET attempt = @attempt, requested_at = @at`,
  );
  const selectPrune = connection.prepare('SELECT 1 FROM prunes WHERE session = ? AND id = ?');
  const lower = connection.prepare(LOWER_NEXT_DUE);
  const selectReplays = connection.prepare('SELECT * FROM replays WHERE session = ? ORDER BY requested_at, id');
  const removeReplay = connection.prepare('DELETE FROM replays WHERE session = ? AND id = ? AND attempt = ?');
  const upsertEnd = connection.prepare(
    `INSERT INTO turn_ends (session, id, attempt, epoch, ended_at, outcome, reason, error, error_class)
     SELECT address, @id, @attempt, @epoch, @endedAt, @outcome, @reason, @error, @errorClass
     FROM sessions WHERE address = @session
     ON CONFLICT (session, id, attempt) DO UPDATE SET epoch = @epoch, ended_at = @endedAt, outcome = @outcome,
       reason = @reason, error = @error, error_class = @errorClass`,
  );
  const selectEnds = connection.prepare(
    'SELECT * FROM turn_ends WHERE session = ? AND id = ? ORDER BY attempt DESC LIMIT ?',
  );
  const selectFailures = connection.prepare(
    "SELECT id, attempt, reason FROM turn_ends WHERE session = ? AND outcome = 'fail'",
  );
  const count = connection.prepare('UPDATE sessions SET failed = @failed, purged = @purged WHERE address = @session');

  return {
    requestReplays: (session, requests, atMs) =>
      connection.write(() => {
        const isDoomed = ({ id }: ReplayRequest): boolean => selectPrune.get(session, id) !== undefined;
        const taken = requests.filter((request) => !isDoomed(request));
        for (const { id, attempt } of taken) insertReplay.run({ session, id, attempt, at: atMs });
        if (taken.length > 0) lower.run({ address: session, dueAt: atMs });
        return requests.filter(isDoomed).map(({ id }) => id);
      }),

    replays: (session) =>
      connection.read(() =>
        selectReplays.all(session).map((row) => {
          const cells = new RowReader('replays', row);
          return {
            id: cells.messageId('id'),
            attempt: cells.count('attempt'),
            requestedAtMs: cells.integer('requested_at'),
          };
        }),
      ),

    dropReplays: (session, requests) => {
      connection.write(() => {
        for (const { id, attempt } of requests) removeReplay.run(session, id, attempt);
      });
    },

    recordTurnEnds: (session, ends) => {
      connection.write(() => {
        for (const { endedAtMs, ...end } of ends) upsertEnd.run({ session, ...end, endedAt: endedAtMs });
      });
    },

    turnEnds: (session, id) => connection.read(() => selectEnds.all(session, id, MOST_ENDS).map(turnEndOf).reverse()),

    failures: (session) =>
      connection.read(() =>
        selectFailures.all(session).map((row) => {
          const cells = new RowReader('turn_ends', row);
          return { id: cells.messageId('id'), attempt: cells.count('attempt'), reason: cells.text('reason') };
        }),
      ),

    countDead: (session, { failed, purged }) => {
      connection.write(() => count.run({ session, failed, purged }));
    },
  };
}

function turnEndOf(row: unknown): TurnEnd {
  const cells = new RowReader('turn_ends', row);
  return {
    id: cells.messageId('id'),
    attempt: cells.count('attempt'),
    epoch: epochOf(cells.count('epoch')),
    endedAtMs: cells.integer('ended_at'),
    outcome: cells.oneOf('outcome', Object.keys(OUTCOMES) as TurnEnd['outcome'][]),
    reason: cells.text('reason'),
    error: cells.textOrNull('error'),
    errorClass: cells.textOrNull('error_class'),
  };
}
