import { expect, it } from 'vitest';
import { describeOnBoth, PATIENCE_MS } from '../support/daemon.js';

const TEST_MS = 3 * PATIENCE_MS;
const MIB = 1024 * 1024;

await describeOnBoth('odd input', ({ open, itOnce }) => {
  itOnce(
    'a text of 10 MB goes through and comes back; one over the limit is refused and leaves nothing',
    async () => {
      const daemon = open();
      await daemon.start();
      const text = 'ten million letters '.repeat((10 * MIB) / 20);

      const id = JSON.parse(await daemon.done(['send', 'demo/big', '-', '--json'], text)) as { readonly id: string };
      await daemon.untilEnded('demo/big', [id.id]);
      expect((await daemon.texts('demo/big')).map((one) => one === text)).toEqual([true]);

      const refused = await daemon.cli(['send', 'demo/huge', '-'], 'x'.repeat(17 * MIB));
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(/MESSAGE_MAX_BYTES|bytes/);
      expect((await daemon.cli(['session', 'show', 'demo/huge'])).code).toBe(3);
      expect(await daemon.status()).toMatchObject({ messages: { completed: 1 }, sessions: { total: 1 } });
    },
    TEST_MS,
  );

  it(
    'an answer that is not UTF-8 is shown with replacement characters; control characters do not reach a terminal',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.createScript('demo/odd', 'printf "a\\377b \\033[31mred"');
      const id = await daemon.send('demo/odd', 'hello');
      await daemon.untilEnded('demo/odd', [id]);
      expect(await daemon.texts('demo/odd')).toEqual(['a\uFFFDb \u001b[31mred']);
      expect(await daemon.done(['replies', 'demo/odd'])).not.toContain('\u001b');
    },
    TEST_MS,
  );

  itOnce(
    'a program that fails says so: retried where it may help, else a dead letter with what it said',
    async () => {
      const daemon = open({ settings: { BACKOFF_BASE_MS: 50, MAX_TRIES: 2 } });
      await daemon.start();
      await daemon.createScript('demo/wrong', 'echo no such model >&2; exit 64');
      await daemon.createScript('demo/flaky', 'echo try later >&2; exit 1');
      const wrong = await daemon.send('demo/wrong', 'hello');
      const flaky = await daemon.send('demo/flaky', 'hello');
      await daemon.untilEnded('demo/wrong', [wrong]);
      await daemon.untilEnded('demo/flaky', [flaky]);
      expect(daemon.message('demo/wrong', wrong)).toMatchObject({ status: 'failed', tries: 0, error_class: 'fatal' });
      expect(daemon.message('demo/flaky', flaky)).toMatchObject({ status: 'failed', tries: 2 });
      const dead = await daemon.dead();
      expect(dead.map(({ session, error }) => [session, error])).toEqual([
        ['demo/flaky', 'exit code 1: try later'],
        ['demo/wrong', 'exit code 64: no such model'],
      ]);
      // The runner lives on: nothing was started twice.
      expect(daemon.incarnations()).toHaveLength(2);
    },
    TEST_MS,
  );
});
