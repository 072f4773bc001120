import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import type http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { requireContainer } from '../support/containers-view.js';
import { describeOnDocker, PATIENCE_MS } from '../support/daemon.js';
import type { StandIn } from '../support/engine-proxy.js';
import { startEngineProxy } from '../support/engine-proxy.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 4 * PATIENCE_MS;

await describeOnDocker('an engine in trouble', ({ engine, open }) => {
  const standIns: StandIn[] = [];
  const folders: string[] = [];
  afterEach(async () => {
    for (const standIn of standIns.splice(0)) await standIn.close();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  async function proxy(intercept?: (request: http.IncomingMessage, response: http.ServerResponse) => boolean) {
    const standIn = await startEngineProxy(engine.socketPath, intercept);
    standIns.push(standIn);
    return standIn;
  }

  it(
    'none answers: the daemon serves, says so, accepts and keeps messages; they are answered when it is back',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'np-dead-'));
      folders.push(folder);
      const socket = join(folder, 'engine.sock');
      const daemon = open({ env: { DOCKER_HOST: `unix://${socket}` } });
      await daemon.start();

      const id = await daemon.send('demo/first', 'hello');
      const status = await daemon.statusWhen('the runtime is down', ({ runtime }) => runtime.state === 'down');
      expect(status.messages.pending + status.messages.spooled).toBe(1);
      expect(status).toMatchObject({ runtime: { kind: 'docker' }, containers: { running: 0 }, sessions: { held: 0 } });
      expect(daemon.incarnations('demo/first')).toEqual([]);
      expect((await daemon.sweep()).counts.errors).toBe(0);

      const { address } = await proxy();
      symlinkSync(address.url.slice('unix://'.length), socket);
      await daemon.untilEnded('demo/first', [id]);
      expect(await daemon.texts('demo/first')).toEqual(['hello']);
      expect(daemon.message('demo/first', id)).toMatchObject({ tries: 0 });
      expect(await daemon.status()).toMatchObject({ runtime: { state: 'up' }, notices: [] });
    },
    TEST_MS,
  );

  it(
    'F16, F17: gone in mid-flight: turns go on, messages are accepted, nothing is settled; no try is spent when it is back',
    async () => {
      let isGone = false as boolean; // asked for every request
      const between = await proxy((request) => {
        if (isGone) request.destroy();
        return isGone;
      });
      const daemon = open({ env: { DOCKER_HOST: between.address.url }, settings: { SWEEP_INTERVAL_MS: 500 } });
      await daemon.start();
      await daemon.createScript('demo/slow', 'sleep 6; echo answered by $NIGHTPORTER_EPOCH');
      const slow = await daemon.send('demo/slow', 'work');
      await daemon.untilClaimed('demo/slow');
      const before = await requireContainer(daemon.containers, 'demo/slow');

      isGone = true;
      between.cut();
      const other = await daemon.send('demo/other', 'hello');
      await daemon.statusWhen('the runtime is down', ({ runtime }) => runtime.state === 'down');
      // Its answer is in the file all the same, and seen.
      await eventually('an answer', async () => (await daemon.replies('demo/slow')).length === 1, {
        timeoutMs: PATIENCE_MS,
        intervalMs: 200,
      });
      expect(daemon.incarnations('demo/other')).toEqual([]);

      isGone = false;
      await daemon.untilEnded('demo/other', [other]);
      await daemon.untilEnded('demo/slow', [slow]);
      expect(daemon.message('demo/slow', slow)).toMatchObject({ status: 'completed', tries: 0 });
      expect(daemon.message('demo/other', other)).toMatchObject({ status: 'completed', tries: 0 });
      expect(await daemon.texts('demo/slow')).toEqual(['answered by 1']);
      expect(await requireContainer(daemon.containers, 'demo/slow')).toEqual(before);
      expect(await daemon.statusWhen('it is up', ({ runtime }) => runtime.state === 'up')).toMatchObject({
        sessions: { held: 0 },
        notices: [],
      });
    },
    TEST_MS,
  );

  it(
    'F16: it hangs: the daemon starts all the same, accepts messages, answers commands, and catches up',
    async () => {
      const held: (() => void)[] = [];
      let hangs = true as boolean; // asked for every request
      const { address } = await proxy((request, response) => {
        if (hangs)
          held.push(
            () => response.destroy(),
            () => request.destroy(),
          );
        return hangs;
      });
      const daemon = open({ env: { DOCKER_HOST: address.url }, settings: { RUNTIME_DEADLINE_MS: 2_000 } });
      await daemon.start();
      const id = await daemon.send('demo/first', 'hello');
      const status = await daemon.status();
      expect(status.messages.pending + status.messages.spooled).toBe(1);
      expect(status.runtime.state).not.toBe('up');

      hangs = false;
      for (const release of held) release();
      await daemon.untilEnded('demo/first', [id]);
      expect(await daemon.texts('demo/first')).toEqual(['hello']);
    },
    TEST_MS,
  );

  it(
    'the runner image cannot be made: nothing is started, a notice says what to do, the message is kept',
    async () => {
      // An engine that has no runner image yet, and no way to the base image.
      const { address } = await proxy((request, response) => {
        const isImage = /\/images\/nightporter-runner/.test(request.url ?? '');
        const isBuild = /\/build\?/.test(request.url ?? '');
        if (isImage) response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"no such image"}');
        if (isBuild) {
          request.resume();
          const error = 'pull access denied for no-such-base, repository does not exist';
          response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify({ error })}\n`);
        }
        return isImage || isBuild;
      });
      const daemon = open({ env: { DOCKER_HOST: address.url }, settings: { RUNNER_BASE_IMAGE: 'no-such-base:local' } });
      await daemon.start();
      const id = await daemon.send('demo/first', 'hello');
      await eventually('it is in its file', () => daemon.message('demo/first', id) !== undefined);

      const status = await daemon.statusWhen('it is told', ({ notices }) => notices.length > 0);

      expect(status.notices).toMatchObject([{ kind: 'image_missing', session: null }]);
      expect(status.notices[0]?.text).toContain('no-such-base:local');
      expect(status).toMatchObject({ runtime: { state: 'up' }, sessions: { held: 0 }, containers: { running: 0 } });
      expect(daemon.message('demo/first', id)).toMatchObject({ status: 'pending', tries: 0 });
      expect(daemon.incarnations('demo/first')).toEqual([]);
    },
    TEST_MS,
  );
});
