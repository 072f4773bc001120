import { afterEach, describe, expect, it } from 'vitest';
import type { GroupName } from '../../../src/protocol/address.js';
import { formatInstant } from '../../../src/protocol/times.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let porter: TestPorter;

/** At the beginning of an hour of the first of a day. */
function open(settings: NonNullable<PorterOptions['settings']>): TestPorter {
  porter = new TestPorter({ files: 'in_process', settings });
  porter.clock.advance(DAY - (porter.clock.now() % DAY));
  return porter;
}

afterEach(async () => {
  await porter.close();
});

/** One turn, after which its runner leaves; what its provider says that the session used, ever. */
async function turn(p: TestPorter, text: string, id: string, { tokens = 0, usd = 0 } = {}): Promise<void> {
  p.send(text, id);
  await p.round();
  expect(p.running()).toContain(text);
  p.ack(text, id, 'completed');
  const value = JSON.stringify({ turns: 1, calls: 1, input_tokens: tokens - 1, output_tokens: 1, cost_usd: usd });
  p.write(
    text,
    "INSERT OR REPLACE INTO session_state (key, value, updated_at) VALUES ('nightporter_usage', ?, ?)",
    ...[value, formatInstant(p.clock.now())],
  );
  p.runtime.exit(session(text), { exitCode: 0 });
  await p.look(text);
}

async function waits(p: TestPorter, text: string, id: string): Promise<void> {
  p.send(text, id);
  await p.round();
  await p.round();
  expect(p.running()).toEqual([]);
  expect(p.message(text, id)).toMatchObject({ status: 'pending', tries: 0 });
}

describe('a budget', () => {
  it('of turns an hour: over it the session waits for the next hour, others do not, and the operator is told once', async () => {
    const p = open({ SESSION_TURNS_PER_HOUR: 2 });
    await turn(p, 'g/a', 'm1');
    await turn(p, 'g/a', 'm2');
    await waits(p, 'g/a', 'm3');
    await turn(p, 'g/b', 'm1');
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await p.look('g/a');
      await p.round();
    }
    expect(p.registry.openNotices(10)).toMatchObject([{ kind: 'budget_spent', session: 'g/a', count: 1 }]);
    expect(p.registry.openNotices(10)[0]?.text).toContain('g/a has used 2 of 2 turns an hour');
    await p.restart();
    await p.round();
    expect(p.running()).toEqual([]);
    expect(p.registry.openNotices(10)).toMatchObject([{ kind: 'budget_spent', session: 'g/a' }]);
    await p.pass(HOUR);
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    expect(p.notices()).not.toContain('budget_spent g/a');
  });

  it('of a group: its sessions use it together, another group has its own', async () => {
    const p = open({ GROUP_TURNS_PER_HOUR: 2 });
    await turn(p, 'g/a', 'm1');
    await turn(p, 'g/b', 'm1');
    await waits(p, 'g/c', 'm1');
    expect(p.registry.openNotices(10)[0]?.text).toContain('group g has used 2 of 2 turns an hour');
    p.send('other/a', 'm1');
    await p.round();
    expect(p.running()).toEqual(['other/a']);
  });

  it('of a group is told of as long as any of its sessions waits for it, and no longer', async () => {
    const p = open({ GROUP_TURNS_PER_HOUR: 1 });
    await turn(p, 'g/a', 'm1');
    await waits(p, 'g/a', 'm2');
    await waits(p, 'g/b', 'm1');
    expect(p.registry.openNotices(10)).toMatchObject([{ kind: 'budget_spent', session: null, count: 1 }]);
    p.registry.setStatus(session('g/b'), 'closed', p.clock.now(), 'operator');
    await p.look('g/b');
    expect(p.registry.openNotices(10)).toMatchObject([{ kind: 'budget_spent', session: null, count: 1 }]);
    p.registry.setStatus(session('g/a'), 'closed', p.clock.now(), 'operator');
    await p.look('g/a');
    expect(p.registry.openNotices(10)).toEqual([]);
  });

  it('of a group that is over when the daemon comes back is told of no more', async () => {
    const p = open({ GROUP_TURNS_PER_HOUR: 1 });
    await turn(p, 'g/a', 'm1');
    await waits(p, 'g/a', 'm2');
    p.clock.advance(HOUR);
    await p.restart();
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    expect(p.registry.openNotices(10)).toEqual([]);
  });

  it('leaves nothing behind of a session that is deleted', async () => {
    const p = open({ SESSION_TURNS_PER_HOUR: 1 });
    await turn(p, 'g/a', 'm1');
    p.registry.deleteSession(session('g/a'), p.clock.now());
    expect(p.registry.spent(session('g/a'))).toBeUndefined();
    expect(p.registry.spent(session('g/a').split('/', 1)[0] as GroupName)).toMatchObject({ turns: 1 });
  });

  it('of a group: turns that are under way count as such, so that sessions that wait together do not overrun it', async () => {
    const p = open({ GROUP_TURNS_PER_HOUR: 2, MAX_CONCURRENT_CONTAINERS: 8 });
    const names = ['g/a', 'g/b', 'g/c', 'g/d'];
    for (const name of names) p.send(name, 'm1');
    await p.round();
    const [one = '', other = '', ...more] = p.running();
    expect(more).toEqual([]);
    // One leaves without a turn: its place is another's.
    p.registry.setStatus(session(one), 'closed', p.clock.now(), 'operator');
    p.runtime.exit(session(one), { exitCode: 0 });
    await p.look(one);
    await p.pass(10_000);
    expect(p.running()).toHaveLength(2);
    for (const name of p.running()) {
      p.ack(name, 'm1', 'completed');
      p.runtime.exit(session(name), { exitCode: 0 });
      await p.look(name);
    }
    await p.pass(10_000);
    await p.round();
    expect(p.running()).toEqual([]);
    expect(p.message(other, 'm1')).toMatchObject({ status: 'completed' });
    expect(p.registry.openNotices(10)[0]?.text).toContain('group g has used 2 of 2 turns an hour');
    await p.pass(HOUR);
    await p.round();
    expect(p.running()).toHaveLength(1);
  });

  it('of what a container says of itself, however much: it stops itself and its group for the day, and breaks nothing', async () => {
    const p = open({ SESSION_COST_PER_DAY: 5, GROUP_TOKENS_PER_DAY: 1_000 });
    await turn(p, 'g/a', 'm1', { tokens: 1e300, usd: 1e300 });
    await waits(p, 'g/a', 'm2');
    await waits(p, 'g/b', 'm1');
    expect(p.notices()).toEqual(expect.arrayContaining(['budget_spent g/a', 'budget_spent -']));
    await p.pass(DAY);
    await p.round();
    expect(p.running()).toEqual(['g/a', 'g/b']);
  });

  it('of tokens and of dollars a day, by the figures of the provider, each counted once', async () => {
    const p = open({ SESSION_TOKENS_PER_DAY: 1_000, GROUP_COST_PER_DAY: 0.5 });
    await turn(p, 'g/a', 'm1', { tokens: 600, usd: 0.1 });
    await p.look('g/a');
    await p.restart();
    await turn(p, 'g/a', 'm2', { tokens: 999, usd: 0.2 });
    await turn(p, 'g/a', 'm3', { tokens: 1_200, usd: 0.3 });
    await waits(p, 'g/a', 'm4');
    await turn(p, 'g/b', 'm1', { tokens: 10, usd: 0.2 });
    await waits(p, 'g/b', 'm2');
    await p.pass(HOUR);
    await p.round();
    expect(p.running()).toEqual([]);
    await p.pass(DAY - HOUR);
    await p.round();
    expect(p.running()).toEqual(['g/a', 'g/b']);
  });

  it('counts turns that failed or died, and not those that the host took back', async () => {
    const p = open({ SESSION_TURNS_PER_HOUR: 3 });
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await p.look('g/a');
    expect(p.registry.spent(session('g/a'))).toMatchObject({ turns: 1 });
    await p.pass(5_000);
    await p.round();
    p.ack('g/a', 'm1', 'failed', { errorClass: 'fatal' });
    await p.look('g/a');
    expect(p.registry.spent(session('g/a'))).toMatchObject({ turns: 2 });
  });

  it('that is raised lets the session go on at once', async () => {
    const p = open({ SESSION_TURNS_PER_HOUR: 1 });
    await turn(p, 'g/a', 'm1');
    await waits(p, 'g/a', 'm2');
    p.settings = { ...p.settings, sessionTurnsPerHour: 0 };
    p.rounds.settingsChanged();
    await p.round();
    await p.look('g/a');
    expect(p.running()).toEqual(['g/a']);
    expect(p.registry.openNotices(10)).toEqual([]);
  });
});
