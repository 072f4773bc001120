import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Engine } from '../../src/runtime/docker/engine.js';
import { buildRunnerImage, runnerContext, runnerImageTag } from '../../src/runtime/docker/image.js';
import { BASE_IMAGE, EngineBench, PACKAGE_ROOT, describeWithEngine, startOrThrow } from '../support/docker-engine.js';
import { eventually } from '../support/eventually.js';

/** Says who it is, that its addon works and that all packages of the runner are there, in place of the runner. */
const STAND_IN = `
import Database from 'better-sqlite3';
import { ANSWER } from '../../../src/protocol/answer.js';
const version = new Database(':memory:').prepare('SELECT 40 + 2 AS n').get().n;
const names = ['anthropic', 'openai', 'google', 'openai-compatible'].map((name) => '@ai-sdk/' + name);
const packages = await Promise.all(['ai', '@openrouter/ai-sdk-provider', ...names].map((name) => import(name)));
console.log(JSON.stringify({ version, packages: packages.length, ANSWER, uid: process.getuid(), home: process.env.HOME, cwd: process.cwd() }));
`;

await describeWithEngine('docker runtime: the runner image', (engine) => {
  const bench = new EngineBench(engine);
  const install = bench.newInstall();
  const tags: string[] = [];
  afterAll(async () => {
    await bench.reap();
    for (const tag of tags) await engine.docker.getImage(tag).remove({ force: true });
  });

  /** A package whose runner is a stand-in; `salt` makes its hash its own. */
  async function packageRoot(salt: string): Promise<string> {
    const root = await bench.folder();
    const runner = join(root, 'dist/container/agent-runner/src');
    await mkdir(runner, { recursive: true });
    await mkdir(join(root, 'dist/src/protocol'), { recursive: true });
    await mkdir(join(root, 'container/agent-runner'), { recursive: true });
    const manifest = 'container/agent-runner/package.json';
    await cp(join(PACKAGE_ROOT, manifest), join(root, manifest));
    await writeFile(join(runner, 'main.js'), `${STAND_IN}// ${salt}\n`);
    await writeFile(join(root, 'dist/src/protocol/answer.js'), 'export const ANSWER = 42;\n');
    await writeFile(join(root, 'package.json'), '{}');
    await cp(join(PACKAGE_ROOT, 'container/Dockerfile'), join(root, 'container/Dockerfile'));
    await symlink(join(PACKAGE_ROOT, 'node_modules'), join(root, 'node_modules'));
    return root;
  }

  it('is built by prepare when it is missing, runs the runner without root, and is used as it is from then on', async () => {
    const root = await packageRoot(`prepare ${String(Date.now())}`);
    const tag = await runnerImageTag(root);
    tags.push(tag);
    const runtime = bench.runtime(install, { root });
    const spec = { ...(await bench.spec(runtime, install, [])), image: undefined, command: undefined };

    const early = await runtime.start(spec);
    expect(early.kind === 'refused' && early.detail).toContain(tag);
    await runtime.prepare();

    const container = await startOrThrow(runtime, spec);
    const exited = await eventually('its exit', async () => {
      const found = await runtime.inspect(container.name);
      return found?.state === 'exited' ? found : undefined;
    });
    const { output } = await runtime.harvest(exited);
    expect(JSON.parse(output)).toMatchObject({
      version: 42,
      packages: 6,
      ANSWER: 42,
      home: '/workspace',
      cwd: '/workspace',
    });
    if (process.getuid?.() === 0) expect(JSON.parse(output)).toMatchObject({ uid: 10001 });

    const before = await engine.docker.getImage(tag).inspect();
    await bench.runtime(install, { root, baseImage: 'no-such-base:1' }).prepare();
    expect((await engine.docker.getImage(tag).inspect()).Id).toBe(before.Id);
  });

  it('has a tag of what is in it, whatever its base', async () => {
    const root = await packageRoot('tag');
    const tag = await runnerImageTag(root);
    expect(tag).toMatch(/^nightporter-runner:[0-9a-f]{16}$/);
    expect(await runnerImageTag(await packageRoot('tag'))).toBe(tag);
    expect(await runnerImageTag(await packageRoot('other'))).not.toBe(tag);
    const dockerfile = join(root, 'container/Dockerfile');
    await writeFile(dockerfile, `${await readFile(dockerfile, 'utf8')}# changed\n`);
    expect(await runnerImageTag(root)).not.toBe(tag);
  });

  it('is refused with the name of a base that is not there and cannot be pulled', async () => {
    const root = await packageRoot('no base');
    const runtime = bench.runtime(install, { root, baseImage: 'localhost:1/no-such-base:1' });
    await expect(runtime.prepare()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(
        /base image localhost:1\/no-such-base:1 is not on the engine and cannot be pulled/,
      ) as string,
    });
  });

  it('is refused with the words of the builder when a step fails', async () => {
    const root = await packageRoot('bad step');
    await writeFile(join(root, 'container/Dockerfile'), 'ARG BASE\nFROM ${BASE}\nRUN echo some words && exit 3\n');
    const address = engine.address;
    const client = new Engine(address, {}, 30_000);
    const said: string[] = [];
    await expect(
      buildRunnerImage(client, await runnerContext(root), BASE_IMAGE, (line) => said.push(line)),
    ).rejects.toMatchObject({ code: 'refused', message: expect.stringMatching(/non-zero code: 3/) as string });
    expect(said.join('')).toContain('some words');
    client.close();
  });

  it('is not built from a package that was not compiled', async () => {
    const root = await packageRoot('not compiled');
    await expect(runnerContext(join(root, 'container'))).rejects.toThrow();
    const bare = await bench.folder();
    await cp(join(root, 'container'), join(bare, 'container'), { recursive: true });
    await symlink(join(PACKAGE_ROOT, 'node_modules'), join(bare, 'node_modules'));
    await expect(runnerContext(bare)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringContaining('npm run build') as string,
    });
  });
});
