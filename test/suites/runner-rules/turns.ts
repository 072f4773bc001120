import { existsSync, readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { parseInstant } from '../../../src/protocol/times.js';
import { runSql } from '../../support/session-files-fixture.js';
import { HELD, type RuleCase } from './rule-case.js';

/** A write that the file itself refuses: whoever is to refuse both or none is found out. */
function refusing(when: string): (paths: { readonly outbound: string }) => void {
  return ({ outbound }) => {
    runSql(outbound, `CREATE TRIGGER refuse BEFORE ${when} BEGIN SELECT RAISE(ABORT, 'refused by the test'); END;`);
  };
}

const WRITE_VERSION_AT = 18;

/** T: what a turn leaves behind. */
export const TURNS: readonly RuleCase[] = [
  {
    rule: 'T1',
    text: 'writes no last answer without its ack',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      const runner = await bench.start({
        agent: 'echo done; touch finished',
        meddle: (paths) => {
          refusing(`INSERT ON processing_ack WHEN NEW.status = 'completed'`)(paths);
          runSql(
            paths.outbound,
            `CREATE TRIGGER refuse_too BEFORE UPDATE ON processing_ack WHEN NEW.status = 'completed'
             BEGIN SELECT RAISE(ABORT, 'refused by the test'); END;`,
          );
        },
      });
      await bench.untilFile('finished');
      await Promise.race([runner.exited, bench.staysUp(runner, 2_000).catch(() => undefined)]);
      expect(bench.answers()).toEqual([]);
      expect(bench.ack('m')?.status).toBe('processing');
    },
  },
  {
    rule: 'T1',
    text: 'writes no ack without the answer',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      const runner = await bench.start({
        agent: 'echo done; touch finished',
        meddle: refusing('INSERT ON messages_out'),
      });
      await bench.untilFile('finished');
      await Promise.race([runner.exited, bench.staysUp(runner, 2_000).catch(() => undefined)]);
      expect(bench.ack('m')?.status).toBe('processing');
      expect(bench.answers()).toEqual([]);
    },
  },
  {
    rule: 'T2',
    text: 'says which message it answers and where that came from, under an odd seq above all others',
    takes: 'nothing',
    test: async (bench) => {
      bench.outbound(`INSERT INTO messages_out (id, seq, timestamp, kind, content)
        VALUES ('earlier', 101, '2026-01-01T00:00:00.000Z', 'chat', '{"text":"earlier"}')`);
      await bench.deliver('m1');
      bench.inbound(`UPDATE messages_in SET platform_id = 'p1', channel_type = 'web', thread_id = 't1'`);
      await bench.start({ agent: `printf 'done \\342\\234\\223 "so"\\n'` });
      await bench.untilAcked('completed', 'm1');
      await bench.deliver('m2');
      bench.inbound(`UPDATE messages_in SET seq = 500 WHERE id = 'm2'`);
      await bench.untilAcked('completed', 'm2');

      const [, first, second, ...more] = bench.answers();
      expect(more).toEqual([]);
      expect(first).toMatchObject({
        in_reply_to: 'm1',
        kind: 'chat',
        platform_id: 'p1',
        channel_type: 'web',
        thread_id: 't1',
      });
      expect(JSON.parse(first?.content ?? '')).toEqual({ text: 'done ✓ "so"' });
      expect(Math.abs((parseInstant(first?.timestamp ?? '') ?? 0) - Date.now())).toBeLessThan(60_000);
      expect(first?.seq).toBeGreaterThan(101);
      expect(second).toMatchObject({ in_reply_to: 'm2', platform_id: null, channel_type: null, thread_id: null });
      expect([(first?.seq ?? 0) % 2, (second?.seq ?? 0) % 2]).toEqual([1, 1]);
    },
  },
  {
    rule: 'T2',
    text: 'gives an answer a larger seq than its message has',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver('m');
      bench.inbound('UPDATE messages_in SET seq = 500');
      await bench.start();
      await bench.untilAcked('completed', 'm');
      expect(bench.answers()[0]?.seq).toBeGreaterThan(500);
    },
  },
  {
    rule: 'T3',
    text: 'completes a turn that has nothing to say',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver('m');
      await bench.start({ agent: 'cat > /dev/null' });
      await bench.untilAcked('completed', 'm');
      expect(bench.answers()).toEqual([]);
    },
  },
  {
    rule: 'T4',
    text: 'says of a turn that failed what failed, and whether it may be tried again',
    takes: 'attempts',
    test: async (bench) => {
      const runner = await bench.start({
        agent:
          'n=$(cat number); echo half an answer; echo "it broke" >&2; case $n in 0) exit 7;; 1) exit 65;; 2) kill -9 $$;; esac',
      });
      const classes = ['retryable', 'fatal', 'retryable'];
      for (const [index, errorClass] of classes.entries()) {
        bench.write('number', String(index));
        await bench.deliver(`m${String(index)}`);
        await bench.untilAcked('failed', `m${String(index)}`);
        expect(bench.ack(`m${String(index)}`)).toMatchObject({ error_class: errorClass, retry_at: null, attempt: 0 });
        expect(bench.ack(`m${String(index)}`)?.error).toContain('it broke');
      }
      expect(bench.answers()).toEqual([]);
      await bench.staysUp(runner, 100);
    },
  },
  {
    rule: 'T4',
    text: 'passes on when a limited turn may be tried again',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      const report = { error_class: 'rate_limited', error: 'come back later', retry_at: '2033-05-18T03:33:20Z' };
      bench.write('report', `${JSON.stringify({ nightporter: report })}\n`);
      await bench.start({ agent: 'echo busy >&2; cat report >&2; exit 1' });
      await bench.untilAcked('failed', 'm');
      expect(bench.ack('m')).toMatchObject({ error_class: 'rate_limited', error: 'come back later' });
      expect(parseInstant(bench.ack('m')?.retry_at ?? '')).toBe(2_000_000_000_000);
    },
  },
  {
    rule: 'T5',
    text: 'does not acknowledge what arrives during a turn before a turn has covered it',
    takes: 'nothing',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m1');
      const runner = await bench.start({ agent: HELD });
      await bench.untilFile('started');
      await bench.deliver('m2');
      await bench.beats(runner, 10);
      expect(bench.ack('m2')?.status).not.toBe('completed');
      bench.remove('hold');
      await bench.untilAcked('completed', 'm1', 'm2');
      expect(bench.answered()).toEqual(['m1', 'm2']);
    },
  },
  ...(['UPDATE processing_ack SET incarnation = 9', 'DELETE FROM processing_ack'] as const).map((theft): RuleCase => ({
    rule: 'T6',
    text: `writes nothing of a turn whose claim is not its own any more, and leaves with 75 (${theft.slice(0, 6)})`,
    takes: 'attempts',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m');
      const runner = await bench.start({ agent: HELD });
      await bench.untilFile('started');
      bench.outbound(theft);
      const stolen = bench.acks();
      bench.remove('hold');
      expect(await bench.end(runner)).toMatchObject({ code: 75 });
      expect(bench.answers()).toEqual([]);
      expect(bench.acks()).toEqual(stolen);
    },
  })),
  {
    rule: 'T7',
    text: 'keeps its answer while outbound.db is locked, and writes it once it can be',
    takes: 'nothing',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m1', 'm2');
      const runner = await bench.start({ agent: `${HELD}; touch finished` });
      await bench.untilFile('started');
      const reader = new Database(bench.paths.outbound, { readonly: true });
      try {
        reader.exec('BEGIN; SELECT count(*) FROM processing_ack');
        bench.remove('hold');
        await bench.untilFile('finished');
        await bench.beats(runner, 10);
      } finally {
        reader.close();
      }
      await bench.untilAcked('completed', 'm1', 'm2');
      expect(bench.answered()[0]).toBe('m1');
    },
  },
  {
    rule: 'T8',
    text: 'leaves outbound.db in rollback-journal mode, as the host takes it',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver('m1');
      await bench.start();
      await bench.untilAcked('completed', 'm1');
      expect([...readFileSync(bench.paths.outbound).subarray(WRITE_VERSION_AT, WRITE_VERSION_AT + 2)]).toEqual([1, 1]);
      for (const suffix of ['-wal', '-shm']) expect(existsSync(bench.paths.outbound + suffix)).toBe(false);
      expect(await bench.look()).toMatchObject({ kind: 'ok', answers: { count: 1 } });
    },
  },
];
