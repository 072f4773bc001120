import { expect } from 'vitest';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { eventually } from '../../support/eventually.js';
import type { RunnerBench } from '../../support/runner-bench.js';
import { ackSql, runSql } from '../../support/session-files-fixture.js';
import { HELD, minutesAgo, sqlTime, type RuleCase } from './rule-case.js';

/** Long enough for several polls. */
const SOME_POLLS_MS = 1_500;

function statuses(bench: RunnerBench): Readonly<Record<string, string>> {
  return Object.fromEntries(bench.acks().map((row) => [row.message_id, row.status]));
}

const numbered = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(2, '0')}`);

/** C: what it claims, and when. */
export const CLAIMING: readonly RuleCase[] = [
  {
    rule: 'C1',
    text: 'has claimed all messages of a turn by the time the agent works',
    takes: 'nothing',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver({ id: 'context', trigger: false }, 'm');
      await bench.start({ agent: HELD });
      await bench.untilFile('started');
      expect(statuses(bench)).toEqual({ context: 'processing', m: 'processing' });
      bench.remove('hold');
      await bench.untilAcked('completed', 'context', 'm');
    },
  },
  {
    rule: 'C2',
    text: "copies the message's attempt and its own epoch into claim and ack",
    takes: 'attempts',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m');
      bench.inbound(`UPDATE messages_in SET attempt = 3`);
      await bench.start({ agent: HELD, epoch: 7 });
      await bench.untilFile('started');
      expect(bench.ack('m')).toMatchObject({ status: 'processing', attempt: 3, incarnation: 7 });
      bench.remove('hold');
      await bench.untilAcked('completed', 'm');
      expect(bench.ack('m')).toMatchObject({ attempt: 3, incarnation: 7, error: null, error_class: null });
    },
  },
  {
    rule: 'C3',
    text: 'leaves alone what has an ack or a claim of its present attempt, or one of no attempt',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('done', 'failed', 'claimed', 'foreign', 'free');
      bench.outbound(
        ackSql('done', 'completed') +
          ackSql('failed', 'failed') +
          ackSql('claimed', 'processing') +
          ackSql('foreign', 'completed', null),
      );
      const before = bench.acks();
      await bench.start({ epoch: 2 });
      await bench.untilAcked('completed', 'free');
      expect(bench.acks().filter((row) => row.message_id !== 'free')).toEqual(before);
      expect(bench.answered()).toEqual(['free']);
    },
  },
  {
    rule: 'C4',
    text: 'claims what has only an ack of another attempt',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('failed', 'done', 'claimed');
      bench.inbound('UPDATE messages_in SET attempt = 2');
      bench.outbound(
        ackSql('failed', 'failed', 1) + ackSql('done', 'completed', 1) + ackSql('claimed', 'processing', 0),
      );
      bench.outbound(`UPDATE processing_ack SET error = 'of yesterday', error_class = 'retryable'`);
      await bench.start({ epoch: 2 });
      await bench.untilAcked('completed', 'failed', 'done', 'claimed');
      for (const ack of bench.acks()) expect(ack).toMatchObject({ attempt: 2, incarnation: 2, error_class: null });
      expect([...bench.answered()].sort()).toEqual(['claimed', 'done', 'failed']);
    },
  },
  {
    rule: 'C5',
    text: 'claims a message when it becomes due, and not before',
    takes: 'nothing',
    test: async (bench) => {
      const dueAtMs = Date.now() + 3_000;
      await bench.deliver({ id: 'later', processAfterMs: dueAtMs }, 'now');
      await bench.start();
      await bench.untilAcked('completed', 'now');
      await eventually('a claim of it', () => {
        const claimed = bench.ack('later') !== undefined;
        // Seconds without a fraction are all that some know.
        if (claimed) expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(dueAtMs / 1_000) * 1_000);
        return claimed;
      });
      expect(Date.now()).toBeLessThan(dueAtMs + 3_000);
      await bench.untilAcked('completed', 'later');
    },
  },
  {
    rule: 'C5',
    text: 'reads a time without a zone as UTC, wherever it runs',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver('past', 'ahead');
      bench.inbound(`UPDATE messages_in SET process_after = '${sqlTime(minutesAgo(60))}' WHERE id = 'past';
        UPDATE messages_in SET process_after = '${sqlTime(minutesAgo(-60))}' WHERE id = 'ahead'`);
      for (const [epoch, zone] of [
        [1, 'XYZ+5'],
        [2, 'XYZ-5'],
      ] as const) {
        const runner = await bench.start({ epoch, env: { TZ: zone } });
        await bench.untilAcked('completed', 'past');
        await bench.staysUp(runner, 500);
        expect(bench.ack('ahead')).toBeUndefined();
        await runner.signal('SIGKILL');
        await bench.end(runner);
        bench.outbound('DELETE FROM processing_ack');
      }
      expect(bench.answered()).toEqual(['past', 'past']);
    },
  },
  {
    rule: 'C5',
    text: 'takes a process_after that is no time for past',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      bench.inbound(`UPDATE messages_in SET process_after = 'soon'`);
      await bench.start();
      await bench.untilAcked('completed', 'm');
    },
  },
  {
    rule: 'C6',
    text: 'leaves alone what is not pending',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver('paused', 'completed', 'failed', 'm');
      bench.inbound(`UPDATE messages_in SET status = id WHERE id <> 'm'`);
      await bench.start();
      await bench.untilAcked('completed', 'm');
      expect(statuses(bench)).toEqual({ m: 'completed' });
    },
  },
  {
    rule: 'C7',
    text: 'does nothing about context alone, and takes it along with the next message, unanswered',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver({ id: 'c1', trigger: false }, { id: 'c2', trigger: false });
      const runner = await bench.start();
      await bench.staysUp(runner, SOME_POLLS_MS);
      expect(bench.acks()).toEqual([]);
      await bench.deliver('m');
      await bench.untilAcked('completed', 'c1', 'c2', 'm');
      expect(bench.answers()).toHaveLength(1);
    },
  },
  {
    rule: 'C7',
    text: 'answers the message and not its context, and leaves context that came after it',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver({ id: 'c1', trigger: false }, 'm', { id: 'c2', trigger: false });
      await bench.start();
      await bench.untilAcked('completed', 'c1', 'm');
      expect(bench.answered()).toEqual(['m']);
      expect(bench.ack('c2')).toBeUndefined();
    },
  },
  {
    rule: 'C7',
    text: 'is not kept from a message by any amount of context, before it or after it',
    takes: 'attempts',
    test: async (bench) => {
      const context = (prefix: string) => numbered(60, prefix).map((id) => ({ id, trigger: false }));
      await bench.deliver(...context('before'), 'm', ...context('after'));
      await bench.start({ env: { [RUNNER_ENV.maxClaims]: '1' } });
      await bench.untilAcked('completed', 'm');
      expect(bench.answered()).toEqual(['m']);
    },
  },
  {
    rule: 'C8',
    text: 'takes of on_wake messages only those that its first look finds due',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver(
        { id: 'at wake', onWake: true },
        { id: 'not due', onWake: true, processAfterMs: Date.now() + 2_000 },
        'm1',
      );
      const first = await bench.start();
      await bench.untilAcked('completed', 'at wake', 'm1');
      await bench.deliver({ id: 'too late', onWake: true }, { id: 'm2', processAfterMs: Date.now() + 3_000 });
      await bench.untilAcked('completed', 'm2');
      expect(bench.ack('too late')).toBeUndefined();
      expect(bench.ack('not due')).toBeUndefined();
      await first.signal('SIGKILL');
      await bench.end(first);
      await bench.start({ epoch: 2 });
      await bench.untilAcked('completed', 'too late', 'not due');
    },
  },
  {
    rule: 'C9',
    text: 'answers a burst of 25 in the order in which it was sent',
    takes: 'attempts',
    test: async (bench) => {
      const ids = numbered(25, 'm');
      await bench.deliver(...ids);
      await bench.start();
      await bench.untilAcked('completed', ...ids);
      expect(bench.answered()).toEqual(ids);
    },
  },
  {
    rule: 'C9',
    text: 'takes first what is due longest, whatever its seq and however its time is written',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('third', 'first', 'second', { id: 'fourth', timestampMs: minutesAgo(1) });
      const due = (id: string, time: string): string =>
        `UPDATE messages_in SET process_after = '${time}' WHERE id = '${id}';`;
      bench.inbound(
        due('first', sqlTime(minutesAgo(30))) +
          due('second', new Date(minutesAgo(20)).toISOString()) +
          due('third', sqlTime(minutesAgo(10))),
      );
      await bench.start({ env: { [RUNNER_ENV.maxClaims]: '1' } });
      await bench.untilAcked('completed', 'first', 'second', 'third', 'fourth');
      expect(bench.answered()).toEqual(['first', 'second', 'third', 'fourth']);
    },
  },
  {
    rule: 'C10',
    text: 'claims at most NIGHTPORTER_MAX_CLAIMS messages, context not counted',
    takes: 'attempts',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver({ id: 'context', trigger: false }, ...numbered(5, 'm'));
      await bench.start({ agent: HELD, env: { [RUNNER_ENV.maxClaims]: '2' } });
      await bench.untilFile('started');
      const claimed = bench.acks().filter((row) => row.status === 'processing' && row.message_id !== 'context');
      expect([1, 2]).toContain(claimed.length);
      bench.remove('hold');
      await bench.untilAcked('completed', ...numbered(5, 'm'));
    },
  },
  {
    rule: 'C11',
    text: 'claims a message that was in an unfinished turn alone',
    takes: 'attempts',
    test: async (bench) => {
      const ids = numbered(6, 'm');
      await bench.deliver(...ids);
      runSql(bench.paths.inbound, `UPDATE messages_in SET tries = 2, attempt = 2 WHERE id IN ('m01', 'm04')`);
      await bench.start({ agent: 'sleep 0.3; echo done' });
      const together = new Set<string>();
      await eventually(
        'all are answered',
        () => {
          const claimed = bench.acks().filter((row) => row.status === 'processing');
          together.add(claimed.map((row) => row.message_id).join(' '));
          return bench.acks().length === ids.length && claimed.length === 0;
        },
        { timeoutMs: 20_000 },
      );
      expect([...together].filter((turn) => /m01|m04/.test(turn)).sort()).toEqual(['m01', 'm04']);
      await bench.untilAcked('completed', ...ids);
    },
  },
];
