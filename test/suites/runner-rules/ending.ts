import { expect } from 'vitest';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { HELD, type RuleCase } from './rule-case.js';

/** Told of TERM it goes on until it may end. */
const STUBBORN = `trap 'touch told' TERM; touch started; while [ -e hold ]; do sleep 0.05; done; echo done`;

/** X: how it ends. */
export const ENDING: readonly RuleCase[] = [
  {
    rule: 'X1',
    text: 'leaves with 0 when it has had nothing to do for long enough, and not sooner',
    takes: 'attempts',
    test: async (bench) => {
      const idleMs = 1_500;
      await bench.deliver('m');
      const runner = await bench.start({ env: { [RUNNER_ENV.idleMs]: String(idleMs) } });
      await bench.untilAcked('completed', 'm');
      await bench.staysUp(runner, idleMs / 2);
      expect(await bench.end(runner)).toMatchObject({ code: 0 });
      expect(bench.acks().map((row) => row.status)).toEqual(['completed']);
    },
  },
  {
    rule: 'X2',
    text: 'does not take a long turn for idleness',
    takes: 'attempts',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m');
      const runner = await bench.start({ agent: HELD, env: { [RUNNER_ENV.idleMs]: '500' } });
      await bench.untilFile('started');
      await bench.staysUp(runner, 2_000);
      bench.remove('hold');
      await bench.untilAcked('completed', 'm');
      expect(await bench.end(runner)).toMatchObject({ code: 0 });
    },
  },
  {
    rule: 'X3',
    text: 'leaves with 0 at once on TERM when it waits',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      const runner = await bench.start();
      await bench.untilAcked('completed', 'm');
      await runner.signal('SIGTERM');
      expect(await bench.end(runner, 3_000)).toMatchObject({ code: 0 });
    },
  },
  {
    rule: 'X4',
    text: 'ends a turn on TERM that can be ended in time, and claims nothing more',
    takes: 'attempts',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m');
      const runner = await bench.start({ agent: STUBBORN, env: { [RUNNER_ENV.stopGraceMs]: '10000' } });
      await bench.untilFile('started');
      await bench.deliver('next');
      await runner.signal('SIGTERM');
      await bench.untilFile('told');
      bench.remove('hold');
      expect(await bench.end(runner)).toMatchObject({ code: 0 });
      expect(bench.acks()).toMatchObject([{ message_id: 'm', status: 'completed' }]);
      expect(bench.answered()).toEqual(['m']);
    },
  },
  {
    rule: 'X4',
    text: 'gives its messages back on TERM when the agent dies of it',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver({ id: 'context', trigger: false }, 'm');
      const runner = await bench.start({ agent: 'touch started; sleep 300; echo done' });
      await bench.untilFile('started');
      await runner.signal('SIGTERM');
      expect(await bench.end(runner, 5_000)).toMatchObject({ code: 0 });
      expect(bench.acks()).toEqual([]);
      expect(bench.answers()).toEqual([]);
    },
  },
  {
    rule: 'X4',
    text: 'gives its messages back within the grace when the agent does not heed TERM',
    takes: 'attempts',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m');
      const runner = await bench.start({ agent: STUBBORN, env: { [RUNNER_ENV.stopGraceMs]: '4000' } });
      await bench.untilFile('started');
      const toldAtMs = performance.now();
      await runner.signal('SIGTERM');
      expect(await bench.end(runner)).toMatchObject({ code: 0 });
      expect(performance.now() - toldAtMs).toBeLessThan(4_000);
      expect(bench.acks()).toEqual([]);
      expect(bench.answers()).toEqual([]);
    },
  },
  {
    rule: 'X5',
    text: 'leaves files that the next incarnation goes on with, after kill -9 in a turn',
    takes: 'nothing',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m1');
      let epoch = 1;
      for (; epoch <= 3; epoch += 1) {
        bench.remove('started');
        const runner = await bench.start({ agent: HELD, epoch });
        await bench.untilFile('started');
        await runner.signal('SIGKILL');
        await bench.end(runner);
        expect(bench.acks().some((row) => row.status === 'processing')).toBe(true);
        await bench.settle(epoch);
        expect(bench.acks().filter((row) => row.status === 'processing')).toEqual([]);
      }
      bench.remove('hold');
      await bench.start({ epoch });
      await bench.untilAcked('completed', 'm1');
      expect(bench.answered()).toEqual(['m1']);
      const acked = [{ message: { id: 'm1', tries: 3, attempt: 3 }, ack: { status: 'completed' } }];
      expect(await bench.look()).toMatchObject({ kind: 'ok', acked });
      await bench.deliver('m2');
      await bench.untilAcked('completed', 'm2');
    },
  },
];
