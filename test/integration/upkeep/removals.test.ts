import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { Rounds } from '../../../src/ports/rounds.js';
import { deskOf } from '../../support/desk-of.js';
import { DEMO, openFiles } from '../../support/session-files-fixture.js';
import { TestPorter, session } from '../../support/porter.js';
import { giveAway, isRoot, UNPRIVILEGED_ENTRY } from '../../support/unprivileged.js';

const DAY = 24 * 3_600_000;

let porter: TestPorter | undefined;

afterEach(async () => {
  await porter?.close();
  porter = undefined;
});

/** With file workers that are not root. */
function open(): TestPorter {
  porter = new TestPorter({ files: { childEntry: UNPRIVILEGED_ENTRY } });
  giveAway(porter.dataDir);
  return porter;
}

async function closed(p: TestPorter, text: string): Promise<void> {
  await p.files.create(session(text));
  const facts = { provider: null, image: null, command: null, createdAtMs: p.clock.now() };
  p.registry.createSession({ address: session(text), ...facts });
  await p.look(text);
  p.registry.setStatus(session(text), 'closed', p.clock.now(), 'operator');
}

/** A folder in which nothing can be changed, two of them below each other, and such as can be neither listed nor entered. */
function fillClosed(folder: string): void {
  for (const path of ['go/pkg/mod', 'none', 'unlisted', 'unentered/deep']) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, 'file'), 'x');
  }
  giveAway(folder);
  for (const path of ['go/pkg/mod', 'go/pkg', 'go']) chmodSync(join(folder, path), 0o555);
  chmodSync(join(folder, 'none'), 0);
  chmodSync(join(folder, 'unlisted'), 0o300);
  chmodSync(join(folder, 'unentered/deep'), 0o400);
  chmodSync(join(folder, 'unentered'), 0o600);
}

const deleted = async (p: TestPorter): Promise<readonly unknown[]> =>
  (await p.upkeep.collect({ dryRun: false })).actions.map(({ session: address, action, bytes }) => [
    address,
    action,
    bytes === null ? null : 'counted',
  ]);

it('L4: folders that are closed to their owner go with their session; their size cannot be told', async () => {
  const p = open();
  for (const name of ['g/a', 'g/b']) await closed(p, name);
  const outside = join(p.dataDir, 'outside');
  mkdirSync(outside);
  giveAway(outside);
  chmodSync(outside, 0o555);
  symlinkSync(outside, join(p.paths('g/a').out, 'link'));
  fillClosed(p.paths('g/a').out);
  chmodSync(p.paths('g/a').session, 0o555);
  p.clock.advance(7 * DAY + 1);
  expect(await deleted(p)).toEqual([
    ['g/a', 'delete', null],
    ['g/b', 'delete', 'counted'],
  ]);
  expect(p.registry.removals(10)).toEqual([]);
  expect(readdirSync(p.paths('g/a').group)).toEqual([]);
  expect(statSync(outside).mode & 0o777).toBe(0o555);
});

/** What root made in them: a plain folder, one that nobody else may enter, and one of which only the owner may take away. */
function fillForeign(folder: string): void {
  for (const [path, mode] of [
    ['plain', 0o755],
    ['closed', 0o700],
    ['sticky', 0o1777],
  ] as const) {
    mkdirSync(join(folder, path, 'inner'), { recursive: true });
    writeFileSync(join(folder, path, 'file'), 'x');
    chmodSync(join(folder, path), mode);
  }
}

it.runIf(isRoot)(
  'L4: what the host may not delete holds up neither other sessions nor a new one of its name',
  async () => {
    const p = open();
    for (const name of ['g/a', 'g/b', 'g/c']) await closed(p, name);
    fillForeign(p.paths('g/a').out);
    mkdirSync(join(p.paths('g/b').out, 'sticky/inner'), { recursive: true });
    chmodSync(join(p.paths('g/b').out, 'sticky'), 0o1777);
    p.clock.advance(7 * DAY + 1);
    expect((await deleted(p)).length).toBe(3);
    expect(p.registry.removals(10)).toEqual([]);
    const { group } = p.paths('g/a');
    expect(readdirSync(group)).toEqual(['.removed']);
    expect(
      readdirSync(join(group, '.removed'))
        .map((name) => name.slice(0, 2))
        .sort(),
    ).toEqual(['a.', 'b.']);
    p.send('g/a', 'new');
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    expect(existsSync(join(p.paths('g/a').out, 'plain'))).toBe(false);
  },
);

it.runIf(isRoot)('the log says once which folder is to be removed by hand', async () => {
  const told: object[] = [];
  const quiet = (): void => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: (fields: object) => told.push(fields) };
  const fixture = openFiles({ childEntry: UNPRIVILEGED_ENTRY, log });
  try {
    giveAway(fixture.dataDir);
    await fixture.files.create(DEMO);
    fillForeign(fixture.paths().out);
    expect(await fixture.files.remove(DEMO)).toMatchObject({ kind: 'ok' });
    const removed = join(fixture.paths().group, '.removed');
    expect(told).toMatchObject([{ session: DEMO, folder: join(removed, String(readdirSync(removed)[0])) }]);
  } finally {
    await fixture.close();
  }
});

it('L4: a session that is created while the old one of its name is deleted keeps its folder', async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const p = (porter = new TestPorter({
    files: 'in_process',
    ports: ({ files, ...ports }) => {
      const remove = files.remove.bind(files);
      files.remove = async (address) => {
        files.remove = remove;
        begin();
        await released;
        return remove(address);
      };
      return { ...ports, files };
    },
  }));
  let queue = (): void => undefined;
  const queued = new Promise<void>((resolve) => (queue = resolve));
  let isBegun = false;
  const { rounds } = p;
  const watched: Rounds = {
    hint: (address) => {
      rounds.hint(address);
    },
    sweep: (options) => rounds.sweep(options),
    drain: () => rounds.drain(),
    state: () => rounds.state(),
    undisturbed: (address, work) => {
      if (isBegun) queue();
      return rounds.undisturbed(address, work);
    },
  };
  const api = deskApi({ ...deskOf(p), rounds: watched });
  await api.createSession({ session: 'g/a' });
  await api.changeSession('g/a', 'close');
  const deleted = api.changeSession('g/a', 'delete');
  await begun;
  isBegun = true;
  const created = api.createSession({ session: 'g/a' });
  // It is through, or waits its turn.
  await Promise.race([created, queued]);
  release();
  await Promise.all([deleted, created]);
  expect(existsSync(p.paths('g/a').inbound)).toBe(true);
  expect(p.registry.findSession(session('g/a'))).toMatchObject({ status: 'active' });
});
