import { expect, it } from 'vitest';
import { PATIENCE_MS, describeOnPodman } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 4 * PATIENCE_MS;

await describeOnPodman('a conversation', ({ open }) => {
  it(
    'F1: is answered from a container, and the next daemon adopts that container',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.send('demo/first', 'hello');
      await eventually('the answer', async () => (await daemon.texts('demo/first')).includes('hello'), {
        timeoutMs: PATIENCE_MS,
      });
      expect((await daemon.status()).runtime).toMatchObject({
        description: expect.stringMatching(/^Podman \d/) as string,
      });
      const [before] = await daemon.containers.running();
      expect(before).toBeDefined();

      await daemon.end('SIGKILL');
      await daemon.start();
      await daemon.send('demo/first', 'again');
      await eventually('the second answer', async () => (await daemon.texts('demo/first')).includes('again'), {
        timeoutMs: PATIENCE_MS,
      });
      expect(await daemon.containers.running()).toEqual([before]);
    },
    TEST_MS,
  );
});
