import { randomBytes } from 'node:crypto';
import { afterAll, expect, it } from 'vitest';
import type { ContainerId, InstallId, RuntimeEvent } from '../../src/ports/runtime.js';
import type { Epoch } from '../../src/protocol/address.js';
import { NightporterError, RuntimeUnavailable } from '../../src/protocol/errors.js';
import type { DockerRuntime } from '../../src/runtime/docker/docker-runtime.js';
import { LABELS } from '../../src/runtime/spec-labels.js';
import { BASE_IMAGE, EngineBench, describeWithEngine, startOrThrow } from '../support/docker-engine.js';
import { startEngineProxy, startHungEngine } from '../support/engine-proxy.js';
import type { Interceptor, StandIn } from '../support/engine-proxy.js';
import { eventually, within } from '../support/eventually.js';

const SLEEP = ['sh', '-c', `trap 'exit 0' TERM; sleep 100000 & wait`] as const;

await describeWithEngine('docker runtime: an engine in trouble', (engine) => {
  const bench = new EngineBench(engine);
  const standIns: StandIn[] = [];
  const install = bench.newInstall();
  afterAll(async () => {
    await bench.reap();
    for (const standIn of standIns) await standIn.close();
  });

  async function proxied(
    intercept?: Interceptor,
  ): Promise<{ readonly proxy: StandIn; readonly runtime: DockerRuntime }> {
    const proxy = await startEngineProxy(engine.socketPath, intercept);
    standIns.push(proxy);
    return { proxy, runtime: bench.runtime(install, { address: proxy.address, deadlineMs: 3_000, pingAfterMs: 100 }) };
  }

  async function bareContainer(name: string, labels: Record<string, string>, start: boolean): Promise<ContainerId> {
    bench.reapByName(name);
    const container = await engine.docker.createContainer({
      name,
      Image: BASE_IMAGE,
      Entrypoint: [...SLEEP],
      Labels: labels,
      HostConfig: { NetworkMode: 'none', Init: true },
    });
    if (start) await container.start();
    return container.id as ContainerId;
  }

  it('F16: an engine that accepts and never answers is unavailable within the deadline, and no socket is left', async () => {
    const hung = await startHungEngine();
    standIns.push(hung);
    const runtime = bench.runtime(install, { address: hung.address, deadlineMs: 400 });
    const id = 'np-x' as ContainerId;
    const spec = await bench.spec(bench.runtime(install), install, SLEEP);
    const calls: (() => Promise<unknown>)[] = [
      () => runtime.ping(),
      () => runtime.list(),
      () => runtime.inspect('np-x'),
      () => runtime.start(spec),
      () => runtime.stop(id, 60_000),
      () => runtime.remove(id),
      () => runtime.logs(id, 100),
      () => runtime.prepare(),
      () => runtime.events(new AbortController().signal)[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) {
      const beganMs = performance.now();
      await expect(within(String(call), 10_000, call()), String(call)).rejects.toBeInstanceOf(RuntimeUnavailable);
      expect(performance.now() - beganMs, String(call)).toBeLessThan(2_000);
    }
    await eventually('no connection is left', () => hung.openConnections() === 0);
  });

  it('F16: an engine that is not there is unavailable, with its address and what to do', async () => {
    const runtime = bench.runtime(install, { address: { url: 'unix:///no/such/engine.sock', source: 'test' } });
    await expect(runtime.list()).rejects.toThrow(/unix:\/\/\/no\/such\/engine\.sock.*is the engine started/);
    await expect(runtime.list()).rejects.toBeInstanceOf(RuntimeUnavailable);
  });

  it('F16: an answer that breaks off in its middle is unavailable within the deadline', async () => {
    const { runtime } = await proxied((request, response) => {
      if (request.url?.startsWith('/containers/json') !== true) return false;
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('[', () => response.destroy());
      return true;
    });
    await expect(within('list', 10_000, runtime.list())).rejects.toBeInstanceOf(RuntimeUnavailable);
  });

  it('F16: a 500 of the engine is its own state, and never held against the session', async () => {
    const { runtime } = await proxied((request, response) => {
      if (request.method !== 'POST') return false;
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end('{"message":"write /var/lib/docker/x: no space left on device"}');
      return true;
    });
    const spec = await bench.spec(runtime, install, SLEEP);
    await expect(runtime.start(spec)).rejects.toBeInstanceOf(RuntimeUnavailable);
  });

  it('F16, F22: frees a name that a killed engine still holds taken in a network, and starts', async () => {
    const bodies: string[] = [];
    let isTaken = true;
    let name = '';
    const { runtime } = await proxied((request, response) => {
      const url = request.url ?? '';
      const say = (status: number, body: object): true => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
        return true;
      };
      if (/\/containers\/[^/]+\/start/.test(url) && isTaken) {
        return say(403, { message: `endpoint with name ${name} already exists in network none` });
      }
      if (!url.includes('/networks/none/disconnect')) return false;
      isTaken = false;
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
      request.on('end', () => say(200, {}));
      return true;
    });
    const spec = await bench.spec(runtime, install, SLEEP);
    ({ name } = spec);

    const container = await startOrThrow(runtime, spec);

    expect(bodies.map((body) => JSON.parse(body) as unknown)).toEqual([{ Container: name, Force: true }]);
    expect((await runtime.list()).filter((one) => one.name === name)).toEqual([container]);
    await runtime.remove(container.id);
  });

  it('what else an engine says of a start is told, and frees nothing', async () => {
    const { runtime } = await proxied((request, response) => {
      if (!/\/containers\/[^/]+\/start/.test(request.url ?? '')) return false;
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end('{"message":"endpoint with name np-another already exists in network none"}');
      return true;
    });
    const spec = await bench.spec(runtime, install, SLEEP);
    expect(await runtime.start(spec)).toMatchObject({
      kind: 'refused',
      detail: expect.stringContaining('np-another already exists') as string,
    });
  });

  it('F5: goes on with the container that it made when the answer to its create was lost', async () => {
    let lost = false;
    const { runtime } = await proxied((request, response) => {
      if (lost || request.url?.startsWith('/containers/create') !== true) return false;
      lost = true;
      // Passed on, but the answer never arrives.
      const body: Buffer[] = [];
      request.on('data', (chunk: Buffer) => body.push(chunk));
      request.on('end', () => {
        const options = JSON.parse(Buffer.concat(body).toString()) as Parameters<
          typeof engine.docker.createContainer
        >[0];
        void engine.docker.createContainer(options).then(() => response.destroy());
      });
      return true;
    });
    const spec = await bench.spec(runtime, install, SLEEP);

    const container = await startOrThrow(runtime, spec);

    expect(container).toMatchObject({ name: spec.name, epoch: 1, state: 'running' });
    expect((await runtime.list()).filter((one) => one.name === spec.name)).toEqual([container]);
    await runtime.remove(container.id);
  });

  it('F5: starts what an ended daemon created and never started, when the epoch is its own', async () => {
    const runtime = bench.runtime(install);
    const spec = await bench.spec(runtime, install, SLEEP);
    const labels = {
      [LABELS.install]: install,
      [LABELS.session]: spec.session,
      [LABELS.epoch]: '1',
      [LABELS.spec]: spec.specHash,
    };
    const id = await bareContainer(spec.name, labels, false);

    expect(await runtime.start({ ...spec, epoch: 2 as Epoch })).toMatchObject({
      kind: 'exists',
      container: { state: 'created' },
    });
    expect(await runtime.start(spec)).toMatchObject({ kind: 'started', container: { id, state: 'running' } });
    await runtime.remove(id);
  });

  it('F17: the event stream throws when its connection is cut', async () => {
    const { proxy, runtime } = await proxied();
    const { next, opened } = await openEvents(runtime);
    proxy.cut();
    await expect(within('the end of the stream', 5_000, next())).rejects.toBeInstanceOf(RuntimeUnavailable);
    await runtime.remove(opened);
    await eventually('no connection is left', () => proxy.openConnections() === 0);
  });

  it('F17: the event stream ends when the engine ends it without a word', async () => {
    let answer: { end: () => void } | undefined;
    const { runtime } = await proxied((request, response) => {
      if (request.url?.startsWith('/events') !== true) return false;
      response.writeHead(200).flushHeaders();
      answer = response;
      return true;
    });
    const first = runtime.events(new AbortController().signal)[Symbol.asyncIterator]().next();
    await eventually('the stream is open', () => answer !== undefined);
    answer?.end();
    expect(await within('the end of the stream', 5_000, first)).toEqual({ done: true, value: undefined });
  });

  it('F17: the event stream throws when it is silent and the engine does not answer a ping any more', async () => {
    let dead = false;
    const { runtime } = await proxied(() => dead);
    const { next, opened } = await openEvents(runtime);
    dead = true;
    await expect(within('the end of the stream', 10_000, next())).rejects.toBeInstanceOf(RuntimeUnavailable);
    dead = false;
    await runtime.remove(opened);
  });

  it('F18: a container that the engine says runs on after stop and kill is still running', async () => {
    const { runtime } = await proxied((request, response) => {
      if (request.method !== 'POST' || !/\/(stop|kill)\?/.test(`${request.url ?? ''}?`)) return false;
      response.writeHead(204).end();
      return true;
    });
    const container = await startOrThrow(runtime, await bench.spec(runtime, install, SLEEP));

    const result = await runtime.stop(container.id, 100);

    expect(result).toMatchObject({ kind: 'still_running' });
    expect(result.kind === 'still_running' && result.detail).toContain(container.id);
    await bench.runtime(install).remove(container.id);
  });

  it('F18: a stop that hangs is followed by a kill', async () => {
    const { runtime } = await proxied((request) => /\/stop/.test(request.url ?? ''));
    const container = await startOrThrow(runtime, await bench.spec(runtime, install, SLEEP));
    expect(await runtime.stop(container.id, 100)).toEqual({ kind: 'gone' });
    await runtime.harvest(container);
  });

  it('F19: a stranger that has the name is left alone, and the start is refused', async () => {
    const runtime = bench.runtime(install);
    const spec = await bench.spec(runtime, install, SLEEP);
    const strangers: Record<string, string>[] = [{}, { [LABELS.install]: 'another' }];
    for (const labels of strangers) {
      const id = await bareContainer(spec.name, labels, true);
      const result = await runtime.start(spec);
      expect(result.kind).toBe('refused');
      expect(result.kind === 'refused' && result.detail).toContain(spec.name);
      expect(await runtime.inspect(spec.name)).toBeUndefined();
      for (const attempt of [() => runtime.remove(id), () => runtime.stop(id, 100)]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'refused' });
      }
      expect((await engine.docker.getContainer(id).inspect()).State.Running).toBe(true);
      await engine.docker.getContainer(id).remove({ force: true });
    }
  });

  it('F20: a daemon in a container neither lists, stops, harvests nor removes the container that it runs in', async () => {
    const setUp = bench.runtime(install);
    const itself = await startOrThrow(setUp, await bench.spec(setUp, install, SLEEP));
    const runtime = bench.runtime(install, { ownContainerIds: [itself.id.slice(0, 12)] });

    expect((await runtime.list()).map((one) => one.id)).not.toContain(itself.id);
    const attempts = [
      () => runtime.remove(itself.id),
      () => runtime.stop(itself.id, 100),
      () => runtime.harvest(itself),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toBeInstanceOf(NightporterError);
      await expect(attempt()).rejects.toThrow(/runs in/);
    }
    expect(await setUp.inspect(itself.name)).toMatchObject({ state: 'running' });
    await setUp.remove(itself.id);
  });

  /** Opens the stream and reads it up to an event of a container made for that. */
  async function openEvents(runtime: DockerRuntime): Promise<{
    readonly next: () => Promise<IteratorResult<RuntimeEvent>>;
    readonly opened: ContainerId;
  }> {
    const events = runtime.events(new AbortController().signal)[Symbol.asyncIterator]();
    const container = await startOrThrow(runtime, await bench.spec(runtime, install, SLEEP));
    // Events since the call are told as well, so nothing has to be awaited in between.
    expect((await within('the start', 5_000, events.next())).value).toMatchObject({ kind: 'started' });
    return { next: () => events.next(), opened: container.id };
  }

  it('F19: tells apart installs whose ids begin alike', async () => {
    const longer = `${install}0` as InstallId;
    const name = `np-test-${randomBytes(8).toString('hex')}`;
    const id = await bareContainer(
      name,
      { [LABELS.install]: longer, [LABELS.session]: 'a/b', [LABELS.epoch]: '1' },
      true,
    );
    expect((await bench.runtime(install).list()).map((one) => one.id)).not.toContain(id);
  });
});
