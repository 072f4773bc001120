import { describe, expect, it } from 'vitest';
import type { ContainerSpec, InstallId } from '../../../src/ports/runtime.js';
import type { Epoch, SessionAddress } from '../../../src/protocol/address.js';
import { RuntimeUnavailable } from '../../../src/protocol/errors.js';
import { isAlive } from '../../../src/runtime/docker/containers.js';
import { containerUser, createOptions, enginePath, factsFrom } from '../../../src/runtime/docker/create-options.js';
import { EngineAnswer, translateEngineError } from '../../../src/runtime/docker/engine-errors.js';
import { linesOf, parseEvent } from '../../../src/runtime/docker/event-stream.js';
import { tailText } from '../../../src/runtime/docker/log-tail.js';
import { ownContainerIds } from '../../../src/runtime/docker/own-container.js';

const ROOT = { uid: 0, gid: 0 };
const ANN = { uid: 1000, gid: 1001 };
const FACTS = { podman: false, cpus: 2, rootless: false, remapsUsers: false };

const SPEC: ContainerSpec = {
  name: 'np-x',
  install: 'i' as InstallId,
  session: 'a/b' as SessionAddress,
  epoch: 3 as Epoch,
  specHash: 'h',
  image: 'image',
  command: undefined,
  environment: {},
  inDir: '/data/sessions/a/b/in',
  outDir: '/data/sessions/a/b/out',
  hostDir: '/data/sessions/a/b/host',
  limits: { memoryBytes: 1e9, cpus: 4, pids: 10 },
  network: 'none',
};

function options(changes: {
  spec?: Partial<ContainerSpec>;
  facts?: Partial<typeof FACTS>;
  mapping?: { from: string; to: string };
}) {
  const context = {
    image: 'image',
    facts: { ...FACTS, ...changes.facts },
    daemon: ROOT,
    dataPathMapping: changes.mapping,
  };
  return createOptions({ ...SPEC, ...changes.spec }, context);
}

describe('the user of a container', () => {
  it('is unprivileged under a root daemon, else the daemon, who is uid 0 inside a rootless engine', () => {
    expect(containerUser(FACTS, ROOT)).toEqual({ uid: 10001, gid: 10001 });
    expect(containerUser(FACTS, ANN)).toEqual(ANN);
    expect(containerUser({ ...FACTS, rootless: true }, ANN)).toEqual({ uid: 0, gid: 0 });
  });

  it('is decided by what the engine says of its security', () => {
    const security = ['name=seccomp,profile=default', 'name=rootless', 'name=cgroupns'];
    const found = factsFrom({ podman: true, cpus: 4, security });
    expect(found).toEqual({ podman: true, cpus: 4, rootless: true, remapsUsers: false });
    const mapped = factsFrom({ podman: false, cpus: 4, security: ['name=userns'] });
    expect(mapped).toMatchObject({ rootless: false, remapsUsers: true });
    expect(options({ facts: { remapsUsers: true } }).HostConfig).toMatchObject({ UsernsMode: 'host' });
    expect(options({}).HostConfig).not.toHaveProperty('UsernsMode');
  });
});

describe('the options of a container', () => {
  it('ask for no more cpus than the engine has', () => {
    expect(options({}).HostConfig?.NanoCpus).toBe(2e9);
    expect(options({ spec: { limits: { ...SPEC.limits, cpus: 0.25 } } }).HostConfig?.NanoCpus).toBe(250_000_000);
    expect(options({ facts: { cpus: 0 } }).HostConfig?.NanoCpus).toBe(4e9);
  });

  it('ask for no more processes than a Podman that may not raise limits can give', () => {
    const processes = (facts: Partial<typeof FACTS>) =>
      options({ facts }).HostConfig?.Ulimits?.find((one) => one.Name === 'nproc');
    expect(processes({})).toEqual({ Name: 'nproc', Soft: 65_536, Hard: 65_536 });
    expect(processes({ podman: true })).toEqual({ Name: 'nproc', Soft: 32_768, Hard: 32_768 });
    expect(processes({ podman: true, rootless: true })).toEqual({ Name: 'nproc', Soft: 4_096, Hard: 4_096 });
  });

  it("leave the image's own program alone where the spec names none", () => {
    expect(options({})).not.toHaveProperty('Entrypoint');
    expect(options({ spec: { command: ['a', 'b'] } })).toMatchObject({ Entrypoint: ['a', 'b'], Cmd: [] });
  });

  it('name the paths that the engine knows', () => {
    const mapping = { from: '/data/', to: '/srv/np' };
    const mounts = options({ mapping }).HostConfig?.Mounts as { Source: string }[];
    expect(mounts.map((one) => one.Source)).toEqual(['/srv/np/sessions/a/b/in', '/srv/np/sessions/a/b/out']);
    expect(enginePath('/database/x', { from: '/data', to: '/srv' })).toBe('/database/x');
    expect(enginePath('/data', { from: '/data', to: '/srv' })).toBe('/srv');
  });
});

describe('errors of an engine', () => {
  const call = { what: 'start x', url: 'unix:///e', timedOutAfterMs: undefined };
  const answer = (statusCode: number, message: string) =>
    Object.assign(new Error(`(HTTP code ${statusCode}) server error - ${message} `), { statusCode, json: { message } });

  it.each<[number, string]>([
    [404, 'No such image: x:latest'],
    [400, 'OCI runtime create failed: exec: "nope": executable file not found in $PATH: unknown'],
    [500, 'crun: executable file `nope` not found in $PATH: No such file or directory'],
    [409, 'Conflict. The container name "/x" is already in use'],
    [400, 'invalid mount config'],
  ])('%i %s is an answer', (status, message) => {
    const error = translateEngineError(answer(status, message), call);
    expect(error).toBeInstanceOf(EngineAnswer);
    expect(error).toMatchObject({ status, message });
  });

  it.each<[string, number]>([
    ['no such container', 404],
    ['that name is already in use', 409],
    ['container state improper', 409],
    ['network not found', 400],
  ])("Podman's 500 with the cause %j is the answer %i", (cause, status) => {
    const json = { cause, message: `container create: it is so: ${cause}`, response: 500 };
    const error = translateEngineError(Object.assign(new Error('HTTP'), { statusCode: 500, json }), call);
    expect(error).toBeInstanceOf(EngineAnswer);
    expect(error).toMatchObject({ status, message: json.message });
  });

  it("Podman's 500 with any other cause is the state of the engine", () => {
    const json = { cause: 'database is locked', message: 'create: database is locked', response: 500 };
    const error = translateEngineError(Object.assign(new Error('HTTP'), { statusCode: 500, json }), call);
    expect(error).toBeInstanceOf(RuntimeUnavailable);
  });

  it.each<[string, unknown]>([
    ['a failure of the engine', answer(500, 'layer does not exist')],
    [
      'a full disk, whatever it dresses up as',
      answer(400, 'OCI runtime create failed: mkdir: no space left on device'),
    ],
    ['too many requests', answer(429, 'slow down')],
    ['a refused connection', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })],
    ['a reset', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })],
    ['something else', 'what'],
  ])('%s is the state of the engine', (_name, cause) => {
    expect(translateEngineError(cause, call)).toBeInstanceOf(RuntimeUnavailable);
  });

  it('says which deadline passed', () => {
    const error = translateEngineError(new Error('deadline'), { ...call, timedOutAfterMs: 300 });
    expect(error).toBeInstanceOf(RuntimeUnavailable);
    expect(error.message).toBe('start x: the engine at unix:///e did not answer within 300 ms');
  });

  it('says who may use a socket that is not ours to open', () => {
    const error = Object.assign(new Error('connect EACCES /var/run/docker.sock'), { code: 'EACCES' });
    expect(translateEngineError(error, call).message).toMatch(/group/);
  });
});

describe('a container', () => {
  const inspected = (state: object) =>
    ({ Id: 'x', Name: '/np-x', Config: { Labels: null }, State: { StartedAt: '', ...state } }) as never;

  it.each([
    ['runs', { Status: 'running', Running: true, Paused: false }, true],
    ['is paused', { Status: 'paused', Running: true, Paused: true }, true],
    ['is stopping, as Podman says it', { Status: 'stopping', Running: false, Paused: false }, true],
    ['was created', { Status: 'created', Running: false, Paused: false }, false],
    ['has ended', { Status: 'exited', Running: false, Paused: false }, false],
  ])('that %s (%j) is alive: %s', (_name, state, expected) => {
    expect(isAlive(inspected(state))).toBe(expected);
  });
});

describe('the tail of a log', () => {
  const frame = (stream: number, content: Buffer | string): Buffer => {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(8);
    header.writeUInt8(stream, 0);
    header.writeUInt32BE(bytes.length, 4);
    return Buffer.concat([header, bytes]);
  };

  it('joins stdout and stderr in their order', () => {
    expect(tailText(Buffer.concat([frame(1, 'a\n'), frame(2, 'b\n'), frame(1, 'c\n')]), 100)).toBe('a\nb\nc\n');
    expect(tailText(Buffer.alloc(0), 100)).toBe('');
  });

  it('keeps the end, whole characters, and never more bytes than asked for', () => {
    expect(tailText(frame(1, 'abcdef'), 3)).toBe('def');
    expect(tailText(frame(1, 'äöü'), 5)).toBe('öü');
    for (let limit = 0; limit < 12; limit += 1) {
      const text = tailText(frame(1, Buffer.from([0x61, 0xff, 0xfe, 0xe2, 0x82, 0x80, 0x80, 0x80, 0x62])), limit);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limit);
    }
  });

  it('takes the output of a terminal, and a frame that was cut off', () => {
    expect(tailText(Buffer.from('no frames at all'), 100)).toBe('no frames at all');
    expect(tailText(frame(1, 'complete').subarray(0, 12), 100)).toBe('comp');
  });
});

describe('the lines of an event stream', () => {
  it('survive any cut, and leave an incomplete last one out', async () => {
    const bytes = Buffer.from('{"a":"ä"}\n\n{"b":2}\r\n{"cut":');
    for (let at = 0; at <= bytes.length; at += 1) {
      const lines: string[] = [];
      for await (const line of linesOf(chunks(bytes.subarray(0, at), bytes.subarray(at)))) lines.push(line.trim());
      expect(lines).toEqual(['{"a":"ä"}', '{"b":2}']);
    }
  });

  it('are events of sessions, or nothing', () => {
    const event = (Action: string, labels: Record<string, string>): string =>
      JSON.stringify({ Type: 'container', Action, Actor: { Attributes: labels } });
    const labels = { 'nightporter.session': 'a/b', 'nightporter.epoch': '7' };
    expect(parseEvent(event('start', labels))).toEqual({ kind: 'started', session: 'a/b', epoch: 7 });
    expect(parseEvent(event('die', labels))).toEqual({ kind: 'exited', session: 'a/b', epoch: 7 });
    expect(parseEvent(event('rename', labels))).toBeUndefined();
    expect(parseEvent(event('die', { ...labels, 'nightporter.epoch': '-1' }))).toBeUndefined();
    expect(parseEvent(event('die', { ...labels, 'nightporter.session': '../x' }))).toBeUndefined();
    for (const junk of ['', 'null', '[]', '"x"', '{"Action":"die"}', '{', '{"Action":"die","Actor":null}']) {
      expect(parseEvent(junk)).toBeUndefined();
    }
  });
});

describe('F20: the ids of the own container', () => {
  const id = 'ab'.repeat(32);
  const other = 'cd'.repeat(32);

  it.each<[string, Partial<Parameters<typeof ownContainerIds>[0]>, readonly string[]]>([
    ['cgroup v1', { cgroup: `12:pids:/docker/${id}\n11:cpu:/docker/${id}\n` }, [id]],
    ['cgroup v2 under systemd', { cgroup: `0::/system.slice/docker-${id}.scope\n` }, [id]],
    ['Podman', { cgroup: `0::/user.slice/user@1000.service/user.slice/libpod-${id}.scope/container\n` }, [id]],
    [
      'mounts of Docker',
      { mountinfo: `1 2 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/sda rw\n` },
      [id],
    ],
    [
      'mounts of Podman',
      { mountinfo: `1 2 0:1 /containers/overlay-containers/${id}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n` },
      [id],
    ],
    ['a default host name', { hostname: id.slice(0, 12) }, [id.slice(0, 12)]],
    ['any other host name', { hostname: 'mail', cgroup: '0::/init.scope\n' }, []],
    [
      "the host's view of a container that runs",
      { mountinfo: `1 2 0:1 / /var/lib/docker/containers/${other}/mounts/shm rw - tmpfs shm rw\n` },
      [],
    ],
  ])('%s', (_name, self, ids) => {
    expect(ownContainerIds({ cgroup: '', mountinfo: '', hostname: 'host', ...self })).toEqual(ids);
  });
});

// eslint-disable-next-line @typescript-eslint/require-await
async function* chunks(...parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}
