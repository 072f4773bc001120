import type { Spent } from '../../core/budget.js';
import type { Registry } from '../../ports/registry.js';
import type { Connection } from './connection.js';
import { RowReader } from './rows.js';

type Usage = Pick<Registry, 'newUsage' | 'spent' | 'saveSpent'>;

export function usage(connection: Connection): Usage {
  const selectSeen = connection.prepare('SELECT tokens, cost_micros FROM usage_seen WHERE session = ?');
  // Of a session that was deleted meanwhile nothing is kept.
  const upsertSeen = connection.prepare(
    `INSERT INTO usage_seen (session, tokens, cost_micros)
     SELECT address, @tokens, @costMicros FROM sessions WHERE address = @session
     ON CONFLICT (session) DO UPDATE SET tokens = @tokens, cost_micros = @costMicros`,
  );
  const select = connection.prepare('SELECT * FROM usage WHERE scope = ?');
  const upsert = connection.prepare(
    `INSERT OR REPLACE INTO usage (scope, hour, turns, day, tokens, cost_micros)
     VALUES (@scope, @hour, @turns, @day, @tokens, @costMicros)`,
  );

  return {
    newUsage: (session, said) =>
      connection.write(() => {
        const row = selectSeen.get(session);
        const cells = row === undefined ? undefined : new RowReader('usage_seen', row);
        const seen = { tokens: cells?.count('tokens') ?? 0, costMicros: cells?.count('cost_micros') ?? 0 };
        if (said.tokens === seen.tokens && said.costMicros === seen.costMicros) return { tokens: 0, costMicros: 0 };
        upsertSeen.run({ session, ...said });
        return { tokens: grown(seen.tokens, said.tokens), costMicros: grown(seen.costMicros, said.costMicros) };
      }),
    spent: (scope) =>
      connection.read(() => {
        const row = select.get(scope);
        return row === undefined ? undefined : spentOf(row);
      }),
    saveSpent: (scope, spent) => {
      connection.write(() => upsert.run({ scope, ...spent }));
    },
  };
}

/** A file that was replaced counts from the start. */
function grown(before: number, now: number): number {
  return now >= before ? now - before : now;
}

function spentOf(row: unknown): Spent {
  const cells = new RowReader('usage', row);
  return {
    hour: cells.integer('hour'),
    turns: cells.count('turns'),
    day: cells.integer('day'),
    tokens: cells.count('tokens'),
    costMicros: cells.count('cost_micros'),
  };
}
