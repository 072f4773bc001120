import { randomBytes } from 'node:crypto';
import { afterAll, expect, it } from 'vitest';
import { describeOnBoth, describeOnDocker, PATIENCE_MS } from '../support/daemon.js';
import { BASE_IMAGE } from '../support/docker-engine.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 4 * PATIENCE_MS;

/** Node cannot start until there is such a file in the workspace: it ends before it claims. */
const GATE = 'gate.mjs';
const GATED = { ENVIRONMENT: [`NODE_OPTIONS=--import=./${GATE}`] };

await describeOnBoth('a runner that dies before it claims', ({ open, itOnce }) => {
  itOnce(
    'F7: a first start and 3 restarts, 1, 2 and 4 s apart, then it is held and told of; release lets it go on',
    async () => {
      const daemon = open({ groups: { gated: GATED } });
      await daemon.start();
      const id = await daemon.send('gated/one', 'hello');

      const status = await daemon.statusWhen('it is held', ({ sessions }) => sessions.held === 1);

      expect(status).toMatchObject({
        messages: { pending: 1, processing: 0, failed: 0 },
        containers: { running: 0 },
        waiting: 0,
      });
      expect(status.notices).toMatchObject([{ kind: 'held', session: 'gated/one', count: 1 }]);
      expect(status.notices[0]?.text).toContain('nightporter session release gated/one');
      const shown = await daemon.show('gated/one');
      expect(shown).toMatchObject({ held: true, holdReason: 'fruitless_starts', epoch: 4 });
      const starts = daemon.incarnations('gated/one');
      expect(starts.map(({ fruitless, exit_code: code }) => [fruitless, code])).toEqual(Array(4).fill([1, 1]));
      const pausesMs = starts.slice(1).map((one, index) => one.begun_at - (starts[index]?.stopped_at ?? 0));
      for (const [index, leastMs] of [1_000, 2_000, 4_000].entries()) {
        expect(pausesMs[index]).toBeGreaterThanOrEqual(leastMs - 50);
      }
      expect((await daemon.logs('gated/one')).output).toContain('ERR_MODULE_NOT_FOUND');
      expect(daemon.message('gated/one', id)).toMatchObject({ status: 'pending', tries: 0 });

      // Rounds and further messages start nothing; a restart of the daemon does not either.
      await daemon.send('gated/one', 'more');
      await daemon.sweep();
      await daemon.end('SIGTERM');
      await daemon.start();
      await daemon.sweep();
      expect(daemon.incarnations('gated/one')).toHaveLength(4);
      expect((await daemon.status()).sessions.held).toBe(1);

      daemon.plant('gated/one', GATE, '');
      await daemon.done(['session', 'release', 'gated/one']);
      await eventually('both answers', async () => (await daemon.replies('gated/one')).length === 2, {
        timeoutMs: PATIENCE_MS,
        intervalMs: 200,
      });
      expect(await daemon.texts('gated/one')).toEqual(['hello', 'more']);
      expect(daemon.incarnations('gated/one')).toHaveLength(5);
      const after = await daemon.statusWhen('nothing is held', ({ sessions }) => sessions.held === 0);
      expect(after.notices).toEqual([]);
    },
    TEST_MS,
  );

  itOnce(
    'F7: while held it is probed once per interval, and a probe that claims ends the hold',
    async () => {
      const probeMs = 2_000;
      const daemon = open({ settings: { GUARD_MAX_RESTARTS: 0, GUARD_PROBE_MS: probeMs }, groups: { gated: GATED } });
      await daemon.start();
      const id = await daemon.send('gated/one', 'hello');

      await eventually('two probes', () => daemon.incarnations('gated/one').length >= 3, { timeoutMs: PATIENCE_MS });
      daemon.plant('gated/one', GATE, '');
      const [state] = await daemon.untilEnded('gated/one', [id]);

      expect(state).toMatchObject({ status: 'completed', tries: 0 });
      const starts = daemon.incarnations('gated/one');
      const apartMs = starts.slice(1).map((one, index) => one.begun_at - (starts[index]?.begun_at ?? 0));
      for (const ms of apartMs) expect(ms).toBeGreaterThanOrEqual(probeMs - 50);
      const after = await daemon.statusWhen('the hold is over', ({ sessions }) => sessions.held === 0);
      expect(after.notices).toEqual([]);
      expect(await daemon.texts('gated/one')).toEqual(['hello']);
    },
    TEST_MS,
  );

  itOnce(
    'a provider that the runner does not know: held, and the output says why',
    async () => {
      const daemon = open({ settings: { GUARD_MAX_RESTARTS: 0 } });
      await daemon.start();
      await daemon.done(['session', 'create', 'demo/odd', '--provider', 'nosuch']);
      await daemon.send('demo/odd', 'hello');
      await daemon.statusWhen('it is held', ({ sessions }) => sessions.held === 1);
      expect((await daemon.logs('demo/odd')).output).toContain('nosuch');
      expect(daemon.incarnations('demo/odd')).toMatchObject([{ exit_code: 64, fruitless: 1 }]);
    },
    TEST_MS,
  );
});

await describeOnDocker('an image that cannot serve', ({ engine, open }) => {
  const tag = `np-test-${randomBytes(6).toString('hex')}:local`;
  afterAll(async () => {
    await engine.docker.getImage(tag).remove({ force: true });
  });

  it(
    'F7: an entry point that ends at once: a first start and 3 restarts, then held, its output and exit code kept',
    async () => {
      const made = await engine.docker.createContainer({ Image: BASE_IMAGE, Cmd: ['true'] });
      const [repo, version] = tag.split(':');
      const change = 'ENTRYPOINT ["/bin/sh", "-c", "echo no agent in here; exit 3"]';
      await made.commit({ repo, tag: version, changes: change });
      await made.remove();
      const daemon = open();
      await daemon.start();
      await daemon.done(['session', 'create', 'demo/image', '--image', tag]);
      await daemon.send('demo/image', 'hello');

      const status = await daemon.statusWhen('it is held', ({ sessions }) => sessions.held === 1);

      expect(status.messages).toMatchObject({ pending: 1, failed: 0 });
      expect(daemon.incarnations('demo/image').map(({ exit_code: code, fruitless }) => [code, fruitless])).toEqual(
        Array(4).fill([3, 1]),
      );
      expect((await daemon.logs('demo/image')).output).toBe('no agent in here\n');
    },
    TEST_MS,
  );

  it(
    'an image that is missing: a clear reason, held, the message still there; others are served',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.done(['session', 'create', 'demo/missing', '--image', 'no-such-image:local']);
      const id = await daemon.send('demo/missing', 'hello');
      const good = await daemon.send('demo/good', 'hello');

      await daemon.untilEnded('demo/good', [good]);
      const status = await daemon.statusWhen('it is held', ({ sessions }) => sessions.held === 1);

      expect(status).toMatchObject({ runtime: { state: 'up' }, messages: { pending: 1, completed: 1 } });
      const kinds = status.notices.map(({ kind, session }) => `${kind} ${String(session)}`).sort();
      expect(kinds).toEqual(['held demo/missing', 'wake_failing demo/missing']);
      expect(status.notices.find(({ kind }) => kind === 'wake_failing')?.text).toContain('no-such-image:local');
      expect((await daemon.logs('demo/missing')).output).toContain('no-such-image:local');
      expect(daemon.message('demo/missing', id)).toMatchObject({ status: 'pending', tries: 0 });
    },
    TEST_MS,
  );

  it(
    'a program that is not in the image: a dead letter that names it, without a retry',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.done(['session', 'create', 'demo/none', '--provider', 'command', '--command', 'no-such-agent --x']);
      const id = await daemon.send('demo/none', 'hello');
      const [state] = await daemon.untilEnded('demo/none', [id]);
      expect(state).toMatchObject({ status: 'failed', tries: 0, error_class: 'fatal' });
      expect(state?.error).toContain('no-such-agent');
      expect(await daemon.dead()).toMatchObject([{ session: 'demo/none', id, errorClass: 'fatal' }]);
      expect(daemon.incarnations('demo/none')).toMatchObject([{ epoch: 1 }]);
    },
    TEST_MS,
  );
});
