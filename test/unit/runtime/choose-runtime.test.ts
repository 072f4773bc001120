import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { chooseRuntime } from '../../../src/runtime/choose-runtime.js';
import type { Surroundings } from '../../../src/runtime/docker/engine-address.js';
import { dockerOptions, findEngineAddress } from '../../../src/runtime/docker/engine-address.js';

interface Machine {
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly programs?: readonly string[];
  readonly uid?: number;
}

function machine({ env = {}, files = {}, programs = [], uid = 1000 }: Machine): Surroundings {
  return {
    env,
    homeDir: '/home/ann',
    uid,
    exists: (path) => path in files,
    readText: (path) => files[path],
    which: (program) => programs.includes(program),
  };
}

function contextFiles(name: string, host: string): Record<string, string> {
  const id = createHash('sha256').update(name).digest('hex');
  return {
    [`/home/ann/.docker/contexts/meta/${id}/meta.json`]: JSON.stringify({
      Name: name,
      Endpoints: { docker: { Host: host } },
    }),
  };
}

describe('the choice of a runtime', () => {
  const engine = machine({ files: { '/var/run/docker.sock': '' } });
  const none = machine({ programs: ['docker'] });

  it('is what was asked for, whatever is recorded or installed', () => {
    expect(chooseRuntime({ asked: 'process', recorded: 'docker', around: engine }).kind).toBe('process');
    expect(chooseRuntime({ asked: 'docker', recorded: 'process', around: none }).kind).toBe('docker');
  });

  it('is what the first start recorded, even if an engine was installed or removed since', () => {
    expect(chooseRuntime({ asked: 'auto', recorded: 'process', around: engine }).kind).toBe('process');
    expect(chooseRuntime({ asked: 'auto', recorded: 'docker', around: none }).kind).toBe('docker');
  });

  it('is docker where an engine is installed, process only where none is', () => {
    expect(chooseRuntime({ asked: 'auto', recorded: undefined, around: engine }).kind).toBe('docker');
    expect(chooseRuntime({ asked: 'auto', recorded: undefined, around: none })).toEqual({
      kind: 'process',
      reason: 'no container engine is installed',
    });
  });
});

describe('the engine of a machine', () => {
  it.each<[string, Machine, string | undefined]>([
    ['none: nothing is installed', {}, undefined],
    [
      'none: the docker client alone',
      { programs: ['docker'], files: { '/home/ann/.docker/config.json': '{}' } },
      undefined,
    ],
    [
      'DOCKER_HOST',
      { env: { DOCKER_HOST: 'tcp://far:2375' }, files: { '/var/run/docker.sock': '' } },
      'tcp://far:2375',
    ],
    ['DOCKER_HOST without a scheme', { env: { DOCKER_HOST: 'far:2375' } }, 'tcp://far:2375'],
    [
      'an empty DOCKER_HOST is none',
      { env: { DOCKER_HOST: '' }, programs: ['dockerd'] },
      'unix:///var/run/docker.sock',
    ],
    [
      'the current docker context',
      {
        files: {
          '/home/ann/.docker/config.json': '{"currentContext":"colima"}',
          '/var/run/docker.sock': '',
          ...contextFiles('colima', 'unix:///home/ann/.colima/x.sock'),
        },
      },
      'unix:///home/ann/.colima/x.sock',
    ],
    [
      'DOCKER_CONTEXT before the current one',
      { env: { DOCKER_CONTEXT: 'lab' }, files: contextFiles('lab', 'ssh://ann@lab') },
      'ssh://ann@lab',
    ],
    [
      'the default context: the known socket',
      { files: { '/home/ann/.docker/config.json': '{"currentContext":"default"}', '/var/run/docker.sock': '' } },
      'unix:///var/run/docker.sock',
    ],
    ['a broken client configuration names none', { files: { '/home/ann/.docker/config.json': '{' } }, undefined],
    [
      'rootless Docker',
      { env: { XDG_RUNTIME_DIR: '/run/user/7' }, files: { '/run/user/7/docker.sock': '' } },
      'unix:///run/user/7/docker.sock',
    ],
    [
      'rootless Podman',
      { files: { '/run/user/1000/podman/podman.sock': '' } },
      'unix:///run/user/1000/podman/podman.sock',
    ],
    ['Podman of root', { uid: 0, files: { '/run/podman/podman.sock': '' } }, 'unix:///run/podman/podman.sock'],
    ["not another user's Podman", { files: { '/run/podman/podman.sock': '' } }, undefined],
    [
      'Docker Desktop',
      { files: { '/home/ann/.docker/run/docker.sock': '' } },
      'unix:///home/ann/.docker/run/docker.sock',
    ],
    [
      'Colima',
      { files: { '/home/ann/.colima/default/docker.sock': '' } },
      'unix:///home/ann/.colima/default/docker.sock',
    ],
    ['dockerd that is not started', { programs: ['dockerd'] }, 'unix:///var/run/docker.sock'],
    ['podman that is not started', { programs: ['podman'] }, 'unix:///run/user/1000/podman/podman.sock'],
  ])('%s', (_name, around, url) => {
    expect(findEngineAddress(machine(around))?.url).toBe(url);
  });

  it('is reached as its address says, whatever DOCKER_HOST says', () => {
    const source = 'test';
    expect(dockerOptions({ url: 'unix:///a.sock', source }, {})).toMatchObject({
      socketPath: '/a.sock',
      host: undefined,
    });
    expect(dockerOptions({ url: 'tcp://h:2375', source }, {})).toMatchObject({
      host: 'h',
      port: '2375',
      protocol: 'http',
    });
    expect(dockerOptions({ url: 'tcp://h:2376', source }, {})).toMatchObject({ protocol: 'https' });
    expect(dockerOptions({ url: 'ssh://ann@h', source }, {})).toMatchObject({
      protocol: 'ssh',
      username: 'ann',
      port: 22,
    });
    expect(() => dockerOptions({ url: 'what://h', source: 'DOCKER_HOST' }, {})).toThrow(/DOCKER_HOST names no engine/);
    expect(() => dockerOptions({ url: 'tcp://', source: 'DOCKER_HOST' }, {})).toThrow(/DOCKER_HOST names no engine/);
  });
});
