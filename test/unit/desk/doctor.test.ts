import { describe, expect, it } from 'vitest';
import { fileSystemFinding, findMount, inodesFinding, spaceFinding } from '../../../src/desk/doctor/disk.js';
import { containersFinding, findDisagreements } from '../../../src/desk/doctor/drift.js';
import { together, ok, problem, warning } from '../../../src/desk/doctor/finding.js';
import { holderIn, lockFinding } from '../../../src/desk/doctor/lock.js';
import { clockFinding, nodeFinding, timeZoneFinding } from '../../../src/desk/doctor/machine.js';
import type { IncarnationRecord, SessionRecord } from '../../../src/ports/registry.js';
import type { Container } from '../../../src/ports/runtime.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

describe('disk', () => {
  it.each([
    [50 * GIB, 100 * GIB, 'ok'],
    [GIB, 10 * GIB, 'ok'],
    [GIB - 1, 10 * GIB, 'warning'],
    [5 * GIB, 100 * GIB, 'ok'],
    [5 * GIB - 1, 100 * GIB, 'warning'],
    [100 * MIB, 10 * GIB, 'warning'],
    [100 * MIB - 1, 10 * GIB, 'problem'],
  ])('%d bytes of %d free: %s', (freeBytes, totalBytes, state) => {
    expect(spaceFinding({ freeBytes, totalBytes, freeInodes: 0, totalInodes: 0 }).state).toBe(state);
  });

  it.each([
    [0, 0, 'ok'],
    [50_000, 1_000_000, 'ok'],
    [49_999, 1_000_000, 'warning'],
    [999, 10_000, 'problem'],
  ])('%d inodes of %d free: %s', (freeInodes, totalInodes, state) => {
    expect(inodesFinding({ freeBytes: 0, totalBytes: 0, freeInodes, totalInodes }).state).toBe(state);
  });

  const MOUNTS = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '30 22 0:40 / /srv rw shared:1 - nfs4 server:/srv rw,vers=4.2',
    '31 30 0:41 / /srv/with\\040space rw - ext4 /dev/vdb rw',
    '32 22 0:42 / /ro rw,relatime - ext4 /dev/vdc ro',
    '33 22 0:43 / /twice rw - ext4 /dev/vdd rw',
    '34 33 0:44 / /twice rw - tmpfs none rw',
  ].join('\n');

  it.each([
    ['/var/data', 'ext4', 'ok'],
    ['/srv/data', 'nfs4', 'warning'],
    ['/srv', 'nfs4', 'warning'],
    ['/srvother', 'ext4', 'ok'],
    ['/srv/with space/data', 'ext4', 'ok'],
    ['/ro/data', 'ext4', 'problem'],
    ['/twice', 'tmpfs', 'warning'],
  ])('%s is on %s: %s', (path, type, state) => {
    const mount = findMount(MOUNTS, path);
    expect(mount?.type).toBe(type);
    expect(fileSystemFinding(mount).state).toBe(state);
  });

  it.each(['nfs', 'cifs', '9p', 'fuse.sshfs', 'virtiofs', 'overlay', 'vfat'])('warns of %s, and says why', (type) => {
    const finding = fileSystemFinding({ place: '/data', type, readOnly: false });
    expect(finding.state).toBe('warning');
    expect(finding.detail).toMatch(/^\S+ at \/data: \w+/);
  });
});

describe('lock', () => {
  const file = { dev: 65_024n, ino: 42n };
  const LOCKS = [
    '1: FLOCK  ADVISORY  WRITE 1 fe:00:42 0 EOF',
    '2: POSIX  ADVISORY  READ  2 fe:00:42 1073741824 1073742335',
    '3: POSIX  ADVISORY  WRITE 3 fe:00:43 0 EOF',
    '4: -> POSIX  ADVISORY  WRITE 4 fe:00:42 0 EOF',
    '5: POSIX  ADVISORY  WRITE 5 fe:00:42 1073741824 1073742335',
  ];

  it('finds the process with the write lock on that file', () => {
    expect(holderIn(LOCKS.join('\n'), file, undefined)).toBe(5);
    expect(holderIn(LOCKS.slice(0, 4).join('\n'), file, undefined)).toBeUndefined();
  });

  it('believes a line of another device only if the holder left its pid', () => {
    expect(holderIn(LOCKS.join('\n'), { ...file, dev: 40n }, undefined)).toBeUndefined();
    expect(holderIn(LOCKS.join('\n'), { ...file, dev: 40n }, 5)).toBe(5);
  });

  it('is no problem as long as the daemon answers, whoever the kernel names', () => {
    const daemon = { kind: 'answers', pid: 7, status: undefined } as const;
    expect(lockFinding(undefined, daemon).state).toBe('ok');
    expect(lockFinding({ pid: 9, isStopped: false }, daemon).state).toBe('ok');
    expect(lockFinding(undefined, { kind: 'silent', detail: 'no answer' }).state).toBe('problem');
    expect(lockFinding({ pid: 9, isStopped: false }, { kind: 'none' }).state).toBe('problem');
  });
});

describe('machine', () => {
  it.each([
    ['v20.18.9', 'linux', 'x64', 'problem'],
    ['v18.20.0', 'linux', 'x64', 'problem'],
    ['v20.19.0', 'linux', 'arm64', 'ok'],
    ['v24.1.0', 'darwin', 'arm64', 'ok'],
    ['v22.0.0', 'win32', 'x64', 'warning'],
    ['v22.0.0', 'linux', 'riscv64', 'warning'],
  ])('Node %s on %s %s: %s', (version, platform, arch, state) => {
    expect(nodeFinding({ version, platform, arch, program: '1.0.0' }).state).toBe(state);
  });

  const clock = { nowMs: Date.UTC(2030, 0, 1), stepMs: 0, fileSkewMs: 0, newestKnownMs: undefined };
  it.each([
    [{}, 'ok'],
    [{ nowMs: 0 }, 'problem'],
    [{ nowMs: Date.UTC(2150, 0, 1) }, 'problem'],
    [{ stepMs: -1_001 }, 'warning'],
    [{ fileSkewMs: 5_000 }, 'ok'],
    [{ fileSkewMs: -5_001 }, 'warning'],
    [{ fileSkewMs: 60_001 }, 'problem'],
    [{ newestKnownMs: clock.nowMs + 5_001 }, 'warning'],
  ])('a clock with %j: %s', (changes, state) => {
    expect(clockFinding({ ...clock, ...changes }).state).toBe(state);
  });

  it('takes names of zones, and says so of what is none', () => {
    expect(timeZoneFinding(undefined, 'Europe/Paris').state).toBe('ok');
    expect(timeZoneFinding(':Europe/Paris', 'Europe/Paris').state).toBe('ok');
    expect(timeZoneFinding('Nowhere', 'UTC').state).toBe('warning');
    expect(timeZoneFinding(undefined, undefined).state).toBe('warning');
  });
});

describe('drift', () => {
  const container = (changes: Readonly<Record<string, unknown>>) =>
    ({ id: 'c1', name: 'np-c1', session: 'a/b', epoch: 2, state: 'running', ...changes }) as unknown as Container;
  const registry = (epoch: number, open: readonly object[] = []) => ({
    findSession: (session: string) =>
      session === 'a/b' ? ({ address: 'a/b', epoch } as unknown as SessionRecord) : undefined,
    openIncarnations: () => open as readonly IncarnationRecord[],
  });
  const open = { session: 'a/b', epoch: 2, startedAtMs: 1, begunAtMs: 1 };

  it.each([
    ['one that its session owns', [container({})], registry(2, [open]), 0],
    ['one of no session', [container({ session: 'a/gone' })], registry(2), 1],
    ['one without a label', [container({ session: undefined })], registry(2), 1],
    ['one of an older run', [container({ epoch: 1 })], registry(2), 1],
    ['one of an older run that has ended', [container({ epoch: 1, state: 'exited' })], registry(2), 0],
    ['a run without container', [], registry(2, [open]), 1],
    ['a run that is being started', [], registry(2, [{ ...open, startedAtMs: null, begunAtMs: 600 }]), 0],
    ['a start that was given up', [], registry(2, [{ ...open, startedAtMs: null, begunAtMs: 400 }]), 1],
  ])('%s', (_what, containers, known, count) => {
    expect(findDisagreements(containers, known, 500)).toHaveLength(count);
  });

  it('is a problem only where a daemon should have put it right', () => {
    const lasting = [{ key: 'c1', text: 'x' }];
    expect(containersFinding(lasting, 1, true).state).toBe('problem');
    expect(containersFinding(lasting, 1, false).state).toBe('warning');
    expect(containersFinding([], 1, true).state).toBe('ok');
  });
});

it('joins findings: the worst state, what is wrong, each remedy once', () => {
  expect(together([ok('a'), ok('b')])).toEqual(ok('a; b'));
  expect(together([ok('a'), warning('b', 'do'), problem('c', 'do')])).toEqual(problem('b; c', 'do'));
});
