import { chownSync, mkdirSync, rmSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DockerExaminer } from '../../src/runtime/docker/docker-examiner.js';
import { PROBE_FILE } from '../../src/runtime/docker/probe-script.js';
import { PROBE_LABEL } from '../../src/runtime/spec-labels.js';
import { installId } from '../../src/store/install-id.js';
import { BASE_IMAGE, EngineBench, PACKAGE_ROOT } from '../support/docker-engine.js';
import { describeOnDocker } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { runDoctor } from '../support/doctor.js';

const ENV = { NIGHTPORTER_RUNTIME: 'docker', NIGHTPORTER_RUNNER_BASE_IMAGE: BASE_IMAGE, NIGHTPORTER_NETWORK: 'none' };

await describeOnDocker('doctor', ({ engine, open }) => {
  const examined = (daemon: TestDaemon, env: Readonly<Record<string, string>> = {}) =>
    runDoctor(daemon.dataDir, { env: { ...ENV, ...env } });

  const probes = (daemon: TestDaemon) =>
    engine.docker.listContainers({
      all: true,
      filters: { label: [`${PROBE_LABEL}=${installId(daemon.dataDir)}`] },
    });

  const leavings = (daemon: TestDaemon): readonly string[] =>
    readdirSync(daemon.dataDir).filter((name) => name.startsWith('doctor-'));

  it('tries both mounts, the user and the hardening of real containers in one of its own, and leaves nothing', async () => {
    const daemon = open();
    await daemon.start();
    await daemon.send('demo/first', 'hello');
    await daemon.statusWhen('the answer', ({ messages }) => messages.completed === 1);
    const running = await daemon.containers.running();
    const log = daemon.log;

    const result = await examined(daemon);
    expect(result.view.checks.filter(({ state }) => state === 'problem')).toEqual([]);
    expect(result.code).toBe(0);
    expect(result.check('engine').detail).toMatch(/^Docker \S+ \(API [\d.]+\) at unix:/);
    const { detail } = result.check('probe');
    for (const held of [
      'reads /nightporter/in',
      'writes and reads /workspace',
      'cannot write to /nightporter/in',
      'runs as ',
      'has no capabilities',
      'writes to the folder of its session',
      'answers a message',
    ]) {
      expect(detail).toContain(held);
    }
    expect(result.check('containers').detail).toBe('1 container of this install');
    expect(await probes(daemon)).toEqual([]);
    expect(leavings(daemon)).toEqual([]);
    expect(await daemon.containers.running()).toEqual(running);
    expect(daemon.log.slice(log.length)).not.toMatch(/orphan|probe|"level":"(warn|error)"/);
  });

  it('tells where the engine sees another folder than the host (HOST_DATA_DIR), and a network that is not there', async () => {
    const daemon = open();
    const elsewhere = await examined(daemon, { NIGHTPORTER_HOST_DATA_DIR: '/no/such/folder' });
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.check('probe')).toMatchObject({
      state: 'problem',
      remedy: expect.stringContaining('HOST_DATA_DIR') as string,
    });
    const network = await examined(daemon, { NIGHTPORTER_NETWORK: 'no-such-network' });
    expect(network.check('probe')).toMatchObject({
      state: 'problem',
      remedy: expect.stringContaining('NETWORK') as string,
    });
    expect(await probes(daemon)).toEqual([]);
    expect(leavings(daemon)).toEqual([]);
  });

  it('F19: tells containers of no session, removes none, and does not even see those of others', async () => {
    const daemon = open();
    await daemon.done(['session', 'create', 'demo/first']);
    const labels = { 'nightporter.session': 'demo/gone', 'nightporter.epoch': '1', 'nightporter.spec': 'x' };
    const made = await Promise.all(
      [installId(daemon.dataDir), 'another-install'].map((install) =>
        engine.docker.createContainer({
          Image: BASE_IMAGE,
          Cmd: ['sleep', '1000'],
          Labels: { ...labels, 'nightporter.install': install },
        }),
      ),
    );
    try {
      for (const container of made) await container.start();
      const result = await examined(daemon);
      expect(result.check('containers')).toMatchObject({
        state: 'warning',
        remedy: expect.stringContaining('nightporter start') as string,
      });
      expect(result.check('containers').detail).toMatch(
        /^container \S+ is of no session that is known \(demo\/gone\)$/,
      );
      for (const container of made) expect((await container.inspect()).State.Running).toBe(true);
    } finally {
      for (const container of made) await container.remove({ force: true });
    }
  });

  it('tries the mounts with the base image where the runner image is not made yet, and says where neither is', async () => {
    const bench = new EngineBench(engine);
    onTestFinished(() => bench.reap());
    const install = bench.newInstall();
    // A package whose image nobody has made.
    const root = await bench.folder();
    for (const name of ['dist', 'node_modules', 'package.json'])
      symlinkSync(join(PACKAGE_ROOT, name), join(root, name));
    mkdirSync(join(root, 'container'));
    symlinkSync(join(PACKAGE_ROOT, 'container/agent-runner'), join(root, 'container/agent-runner'));
    writeFileSync(join(root, 'container/Dockerfile'), `FROM scratch\n# ${install}\n`);
    const examinerOn = (baseImage: string) => {
      const { address } = engine;
      const examiner = new DockerExaminer({ address, install, root, baseImage, deadlineMs: 20_000, probeMs: 30_000 });
      onTestFinished(() => {
        examiner.close();
      });
      return examiner;
    };

    const examiner = examinerOn(BASE_IMAGE);
    expect((await examiner.describe()).runner).toMatchObject({ kind: 'made_at_start', base: BASE_IMAGE });
    const spec = await bench.spec(bench.runtime(install), install, [], {});
    const report = await examiner.probe({ ...spec, image: undefined, command: undefined });
    expect(report).toMatchObject({ ranRunner: false, exitCode: 0 });
    expect(report.tried.filter(({ held }) => !held)).toEqual([]);
    expect(report.tried.length).toBeGreaterThan(5);

    rmSync(join(spec.outDir, PROBE_FILE));
    chownSync(spec.outDir, 0, 0);
    const closed = await examiner.probe({ ...spec, image: undefined, command: undefined });
    expect(closed.tried.filter(({ held }) => !held)).toMatchObject([
      { what: 'writes and reads /workspace', detail: expect.stringContaining('EACCES') as string },
      { what: 'writes to the folder of its session' },
    ]);

    const nothing = examinerOn('no-such-image:1');
    expect((await nothing.describe()).runner).toMatchObject({ kind: 'base_missing', base: 'no-such-image:1' });
    await expect(nothing.probe({ ...spec, image: undefined, command: undefined })).rejects.toMatchObject({
      code: 'refused',
    });
  });
});
