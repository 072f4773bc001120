import type { ProviderGate } from '../../core/provider-gate.js';
import type { ProviderSessionRecord, Registry } from '../../ports/registry.js';
import type { ProviderSessionId, SessionAddress } from '../../protocol/address.js';
import type { RunnerNotes } from '../../protocol/runner-notes.js';
import type { Connection } from './connection.js';
import { RowReader } from './rows.js';

type Providers = Pick<
  Registry,
  | 'noteRunner'
  | 'noteResumeFailures'
  | 'providerSessions'
  | 'unusedSince'
  | 'resumeFailures'
  | 'providerGates'
  | 'saveProviderGate'
>;

const PAGE_ROWS = 200;
/** Of one look: a file that says more is not believed. */
const MOST_FAILURES = 100;

export function providers(connection: Connection): Providers {
  const select = connection.prepare('SELECT * FROM provider_sessions WHERE session = ? ORDER BY provider');
  // Of a session that was deleted meanwhile nothing is kept.
  const upsert = connection.prepare(
    `INSERT INTO provider_sessions (session, provider, id, synthetic, last_used_at)
     SELECT address, @provider, @id, @synthetic, @lastUsedAt FROM sessions WHERE address = @session
     ON CONFLICT (session, provider) DO UPDATE SET id = @id, synthetic = @synthetic, last_used_at = @lastUsedAt`,
  );
  const remove = connection.prepare(
    'DELETE FROM provider_sessions WHERE session = ? AND provider = ? AND id = ? AND last_used_at = ?',
  );
  const selectUnused = connection.prepare(
    `SELECT * FROM provider_sessions
     WHERE last_used_at < @before AND (last_used_at, session, provider) > (@afterAt, @afterSession, @afterProvider)
     ORDER BY last_used_at, session, provider LIMIT @limit`,
  );
  const selectSeen = connection.prepare('SELECT provider, seen FROM resume_failures WHERE session = ?');
  const upsertSeen = connection.prepare(
    `INSERT INTO resume_failures (session, provider, seen)
     SELECT address, @provider, @seen FROM sessions WHERE address = @session
     ON CONFLICT (session, provider) DO UPDATE SET seen = @seen`,
  );
  const addTotal = connection.prepare(
    `INSERT INTO resume_failures_total (provider, failures) VALUES (@provider, @more)
     ON CONFLICT (provider) DO UPDATE SET failures = failures + @more`,
  );
  const selectTotals = connection.prepare('SELECT provider, failures FROM resume_failures_total ORDER BY provider');
  const selectGates = connection.prepare('SELECT * FROM provider_gates');
  const upsertGate = connection.prepare(
    `INSERT OR REPLACE INTO provider_gates (provider, limited_at, until, next_probe_at, probe, probe_until)
     VALUES (@provider, @limitedAtMs, @untilMs, @nextProbeAtMs, @probe, @probeUntilMs)`,
  );
  const removeGate = connection.prepare('DELETE FROM provider_gates WHERE provider = ?');

  const known = (session: SessionAddress): readonly ProviderSessionRecord[] => select.all(session).map(recordOf);

  const noteSessions = (session: SessionAddress, { sessions }: Pick<RunnerNotes, 'sessions'>, nowMs: number): void => {
    const before = new Map(known(session).map((record) => [record.provider, record]));
    for (const { provider, id, synthetic, lastUsedMs: saidMs } of sessions) {
      const lastUsedMs = Math.min(saidMs, nowMs);
      const record = before.get(provider);
      before.delete(provider);
      if (record?.id === id && record.lastUsedMs === lastUsedMs && record.synthetic === synthetic) continue;
      upsert.run({ session, provider, id, synthetic: synthetic ? 1 : 0, lastUsedAt: lastUsedMs });
    }
    for (const { provider, id, lastUsedMs } of before.values()) remove.run(session, provider, id, lastUsedMs);
  };

  const noteFailures = (session: SessionAddress, said: Readonly<Record<string, number>>): void => {
    const before = new Map(
      selectSeen.all(session).map((row) => {
        const cells = new RowReader('resume_failures', row);
        return [cells.text('provider'), cells.count('seen')];
      }),
    );
    for (const [provider, count] of Object.entries(said)) {
      const seen = before.get(provider) ?? 0;
      if (count === seen) continue;
      upsertSeen.run({ session, provider, seen: count });
      // A file that was replaced counts from the start.
      const more = Math.min(count > seen ? count - seen : count, MOST_FAILURES);
      if (more > 0) addTotal.run({ provider, more });
    }
  };

  return {
    noteRunner: (session, notes, nowMs) => {
      connection.write(() => {
        noteSessions(session, notes, nowMs);
      });
    },
    noteResumeFailures: (session, said) => {
      connection.write(() => {
        noteFailures(session, said);
      });
    },
    providerSessions: (session) => connection.read(() => known(session)),
    *unusedSince(beforeMs) {
      let after = { afterAt: Number.MIN_SAFE_INTEGER, afterSession: '', afterProvider: '' };
      for (;;) {
        const values = { before: beforeMs, limit: PAGE_ROWS, ...after };
        const page = connection.read(() => selectUnused.all(values).map(recordOf));
        const last = page.at(-1);
        if (last === undefined) return;
        after = { afterAt: last.lastUsedMs, afterSession: last.session, afterProvider: last.provider };
        yield page;
      }
    },
    resumeFailures: () =>
      connection.read(() =>
        selectTotals.all().map((row) => {
          const cells = new RowReader('resume_failures_total', row);
          return { provider: cells.text('provider'), failures: cells.count('failures') };
        }),
      ),
    providerGates: () => connection.read(() => new Map(selectGates.all().map(gateOf))),
    saveProviderGate: (provider, gate) => {
      connection.write(() => {
        if (gate === null) removeGate.run(provider);
        else upsertGate.run({ provider, ...gate });
      });
    },
  };
}

function recordOf(row: unknown): ProviderSessionRecord {
  const cells = new RowReader('provider_sessions', row);
  return {
    session: cells.address('session').address,
    provider: cells.text('provider'),
    id: cells.text('id') as ProviderSessionId,
    synthetic: cells.integer('synthetic') !== 0,
    lastUsedMs: cells.integer('last_used_at'),
  };
}

function gateOf(row: unknown): readonly [string, ProviderGate] {
  const cells = new RowReader('provider_gates', row);
  const gate = {
    limitedAtMs: cells.integer('limited_at'),
    untilMs: cells.integer('until'),
    nextProbeAtMs: cells.integer('next_probe_at'),
    probe: cells.textOrNull('probe') as SessionAddress | null,
    probeUntilMs: cells.integer('probe_until'),
  };
  return [cells.text('provider'), gate];
}
