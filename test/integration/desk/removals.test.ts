import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { Rounds } from '../../../src/ports/rounds.js';
import { deskOf } from '../../support/desk-of.js';
import { TestPorter, session } from '../../support/porter.js';

it('L4: a session that is created while the old one of its name is deleted keeps its folder', async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const p = new TestPorter({
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
  });
  try {
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
  } finally {
    await p.close();
  }
});
