import { expect, it } from 'vitest';
import { describeOnBoth, PATIENCE_MS } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 3 * PATIENCE_MS;

await describeOnBoth('a conversation', ({ runtime, open }) => {
  it(
    'F22: a message is answered, the answer printed, and status is true to what the runtime itself lists',
    async () => {
      const daemon = open();
      await daemon.start();

      const id = await daemon.send('demo/first', 'hello');
      const replies = await eventually(
        'an answer',
        async () => {
          const found = await daemon.replies('demo/first');
          return found.length > 0 && found;
        },
        { timeoutMs: PATIENCE_MS },
      );

      expect(replies).toMatchObject([{ inReplyTo: id, kind: 'chat', content: { text: 'hello' } }]);
      expect(await daemon.done(['replies', 'demo/first'])).toMatch(/ hello\n$/);
      await daemon.untilEnded('demo/first', [id]);
      const status = await daemon.statusWhen('completed is counted', ({ messages }) => messages.completed === 1);
      const seen = await daemon.containers.running();
      expect(seen).toMatchObject([{ session: 'demo/first', epoch: 1 }]);
      expect(status).toMatchObject({
        runtime: { kind: runtime, state: 'up' },
        sessions: { active: 1, held: 0, quarantined: 0, total: 1 },
        messages: { spooled: 0, pending: 0, processing: 0, completed: 1, failed: 0 },
        containers: { running: 1 },
        daemon: { running: true, pid: daemon.pid },
        notices: [],
      });
      expect((await daemon.show('demo/first')).incarnations).toMatchObject([{ epoch: 1, stoppedAt: null }]);

      // Its end is known from the runtime's events, without a round.
      await daemon.containers.signal('demo/first', 'SIGKILL');
      await daemon.statusWhen('no container is counted', ({ containers }) => containers.running === 0);
      expect(await daemon.containers.running()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    'F22: status is as true without a daemon, while its containers run on',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.untilEnded('demo/one', [await daemon.send('demo/one', 'a')]);
      await daemon.untilEnded('demo/two', [await daemon.send('demo/two', 'b')]);
      expect((await daemon.end('SIGTERM')).code).toBe(0);

      const left = (await daemon.containers.running()).map(({ session }) => session).sort();
      expect(left).toEqual(['demo/one', 'demo/two']);
      expect(await daemon.status()).toMatchObject({
        containers: { running: 2 },
        messages: { completed: 2 },
        daemon: { running: false },
      });

      await daemon.containers.signal('demo/one', 'SIGKILL');
      await eventually('one is gone', async () => (await daemon.containers.running()).length === 1, {
        timeoutMs: PATIENCE_MS,
      });
      expect((await daemon.status()).containers.running).toBe(1);

      // A daemon's first answer is the runtime's list, not what its predecessor wrote down.
      await daemon.start();
      expect((await daemon.status()).containers.running).toBe(1);
      expect(daemon.log).toContain('container adopted');
    },
    TEST_MS,
  );
});
