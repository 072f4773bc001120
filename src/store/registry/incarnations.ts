import { epochOf } from '../../protocol/address.js';
import { NightporterError } from '../../protocol/errors.js';
import { RowReader } from './rows.js';
import type { IncarnationRecord, Registry } from '../../ports/registry.js';
import type { ContainerId } from '../../ports/runtime.js';
import type { StopReason } from '../../core/reasons.js';
import type { Connection } from './connection.js';

type Incarnations = Pick<
  Registry,
  | 'beginIncarnation'
  | 'confirmStart'
  | 'adoptIncarnation'
  | 'markClaimed'
  | 'markStopping'
  | 'endIncarnation'
  | 'findIncarnation'
  | 'incarnations'
  | 'openIncarnations'
  | 'leftBehind'
>;

const OUTPUT_MAX_BYTES = 64 * 1024;
/** A session that fails for months must not fill the disk with what its containers said (F31). */
const OUTPUTS_KEPT = 3;
const KEPT = 100;

export function incarnations(connection: Connection): Incarnations {
  const raiseEpoch = connection.prepare(
    'UPDATE sessions SET epoch = max(epoch, @atLeast) + 1 WHERE address = @address RETURNING epoch',
  );
  const keepEpoch = connection.prepare('UPDATE sessions SET epoch = max(epoch, @epoch) WHERE address = @address');
  const insert = connection.prepare(
    `INSERT INTO incarnations (session, epoch, spec_hash, begun_at, answers_mark)
     VALUES (@session, @epoch, @specHash, @begunAt, @answersMark)`,
  );
  const confirm = connection.prepare(
    'UPDATE incarnations SET container_id = ?, started_at = ? WHERE session = ? AND epoch = ?',
  );
  // One that was taken for ended but runs is open again: the runtime knows better.
  const adopt = connection.prepare(
    `INSERT INTO incarnations (session, epoch, container_id, spec_hash, begun_at, started_at, answers_mark)
     VALUES (@session, @epoch, @containerId, @specHash, @startedAt, @startedAt, 0)
     ON CONFLICT (session, epoch) DO UPDATE SET container_id = @containerId, started_at = @startedAt, stopped_at = NULL,
       exit_code = NULL, signal = NULL, oom_killed = 0, fruitless = NULL, output = NULL`,
  );
  const claim = connection.prepare(
    'UPDATE incarnations SET claimed = 1 WHERE session = ? AND epoch = ? AND claimed = 0',
  );
  const stopping = connection.prepare('UPDATE incarnations SET stop_reason = ? WHERE session = ? AND epoch = ?');
  // The first end counts: exit event, list and stop may all tell it.
  const end = connection.prepare(
    `UPDATE incarnations SET stopped_at = @stoppedAt, exit_code = @exitCode, signal = @signal, oom_killed = @oomKilled,
       turns_completed = @turnsCompleted, output = @output, fruitless = @fruitless
     WHERE session = @session AND epoch = @epoch AND stopped_at IS NULL`,
  );
  const beyond = 'epoch <= (SELECT epoch FROM incarnations WHERE session = ? ORDER BY epoch DESC LIMIT 1 OFFSET ?)';
  const forgetOutputs = connection.prepare(
    `UPDATE incarnations SET output = NULL WHERE session = ? AND ${beyond} AND output IS NOT NULL`,
  );
  // What it left behind is looked at, whatever becomes of the look that saw its end. No mark: that look knows better.
  const lowerNextDue = connection.prepare(
    'UPDATE sessions SET next_due_at = min(coalesce(next_due_at, @at), @at) WHERE address = @session',
  );
  const forget = connection.prepare(
    `DELETE FROM incarnations WHERE session = ? AND ${beyond} AND stopped_at IS NOT NULL`,
  );
  const selectOne = connection.prepare('SELECT * FROM incarnations WHERE session = ? AND epoch = ?');
  const selectNewest = connection.prepare('SELECT * FROM incarnations WHERE session = ? ORDER BY epoch DESC LIMIT ?');
  const selectLeft = connection.prepare(
    `SELECT session AS address FROM incarnations WHERE stopped_at IS NULL
     UNION SELECT address FROM sessions WHERE processing > 0`,
  );
  const selectOpen = connection.prepare('SELECT * FROM incarnations WHERE stopped_at IS NULL ORDER BY session, epoch');

  return {
    beginIncarnation: (session, { atLeast, specHash, atMs, answersMark }) =>
      connection.write(() => {
        const row = raiseEpoch.get({ address: session, atLeast });
        if (row === undefined) throw new NightporterError('not_found', `there is no session ${session}`);
        const epoch = epochOf(new RowReader('sessions', row).count('epoch'));
        insert.run({ session, epoch, specHash, begunAt: atMs, answersMark });
        return epoch;
      }),

    confirmStart: (session, epoch, containerId, startedAtMs) => {
      connection.write(() => confirm.run(containerId, startedAtMs, session, epoch));
    },

    adoptIncarnation: (session, { epoch, containerId, specHash, startedAtMs }) => {
      connection.write(() => {
        if (keepEpoch.run({ address: session, epoch }).changes === 0) {
          throw new NightporterError('not_found', `there is no session ${session}`);
        }
        adopt.run({ session, epoch, containerId, specHash, startedAt: startedAtMs });
      });
    },

    markClaimed: (session, epoch) => {
      connection.write(() => claim.run(session, epoch));
    },

    markStopping: (session, epoch, reason) => {
      connection.write(() => stopping.run(reason, session, epoch));
    },

    endIncarnation: (session, epoch, facts) => {
      connection.write(() => {
        end.run({
          session,
          epoch,
          stoppedAt: facts.stoppedAtMs,
          exitCode: facts.exitCode,
          signal: facts.signal,
          oomKilled: facts.oomKilled ? 1 : 0,
          turnsCompleted: facts.turnsCompleted,
          output: lastBytes(facts.output, OUTPUT_MAX_BYTES),
          fruitless: facts.fruitless ? 1 : 0,
        });
        lowerNextDue.run({ session, at: facts.stoppedAtMs });
        forgetOutputs.run(session, session, OUTPUTS_KEPT);
        forget.run(session, session, KEPT);
      });
    },

    findIncarnation: (session, epoch) =>
      connection.read(() => {
        const row = selectOne.get(session, epoch);
        return row === undefined ? undefined : incarnationOf(row);
      }),
    incarnations: (session, limit) => connection.read(() => selectNewest.all(session, limit).map(incarnationOf)),
    openIncarnations: () => connection.read(() => selectOpen.all().map(incarnationOf)),
    leftBehind: () =>
      connection.read(() => selectLeft.all().map((row) => new RowReader('sessions', row).address('address').address)),
  };
}

function lastBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let start = bytes.length - maxBytes;
  // Not in the middle of a character: continuation bytes of UTF-8 are 10xxxxxx.
  while (((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}

/** A record, so that the compiler sees to it that none is missing. */
const STOP_REASONS: Readonly<Record<StopReason, true>> = {
  stale_and_stuck: true,
  ceiling: true,
  not_claiming: true,
  no_progress: true,
  turn_timeout: true,
  locked: true,
  hostile: true,
  corrupt: true,
  idle: true,
  yielded: true,
  recycled: true,
  drained: true,
  replaced: true,
  suspended: true,
  closed: true,
  orphan: true,
  engine_restart: true,
};

function incarnationOf(row: unknown): IncarnationRecord {
  const cells = new RowReader('incarnations', row);
  return {
    session: cells.address('session').address,
    epoch: epochOf(cells.count('epoch')),
    containerId: cells.textOrNull('container_id') as ContainerId | null,
    specHash: cells.text('spec_hash'),
    begunAtMs: cells.integer('begun_at'),
    startedAtMs: cells.integerOrNull('started_at'),
    stoppedAtMs: cells.integerOrNull('stopped_at'),
    stopReason: cells.oneOfOrNull('stop_reason', Object.keys(STOP_REASONS) as StopReason[]),
    exitCode: cells.integerOrNull('exit_code'),
    signal: cells.textOrNull('signal'),
    oomKilled: cells.flag('oom_killed'),
    claimed: cells.flag('claimed'),
    fruitless: cells.flagOrNull('fruitless'),
    turnsCompleted: cells.count('turns_completed'),
    answersMark: cells.count('answers_mark'),
    output: cells.textOrNull('output'),
  };
}
