import { afterEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { ChannelEvent, DeskApi } from '../../../src/desk/api.js';
import { deskOf } from '../../support/desk-of.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const DAY = 24 * 3_600_000;

let porter: TestPorter;
let api: DeskApi;

function open(options: PorterOptions = {}): TestPorter {
  porter = new TestPorter({ files: 'in_process', ...options });
  api = deskApi(deskOf(porter));
  return porter;
}

afterEach(async () => {
  await porter.close();
});

const event = (kind: string, more: Partial<ChannelEvent> = {}): ChannelEvent => ({
  ...{ channel: 'telegram:1234', group: 'chat', event: kind },
  ...more,
});
const say = (text: string, more: Partial<ChannelEvent> = {}) => api.route(event('message', { text, ...more }));
/** Messages of a session, in the spool or in its file. */
async function accepted(p: TestPorter, name: string | null): Promise<number> {
  await p.rounds.settled();
  const { spooled = 0, counts } = p.registry.findSession(session(String(name))) ?? {};
  return spooled + (counts?.pending ?? 0) + (counts?.processing ?? 0);
}

const sessionsOf = (p: TestPorter) => [...p.registry.eachSession()];

describe('an event of a channel', () => {
  it('L1: a burst of 3,000 events without a message leaves 0 rows and no folder', async () => {
    const p = open();
    for (let index = 0; index < 3_000; index += 1) {
      const kind = ['start', 'stop', 'typing', 'probe'][index % 4] ?? '';
      expect(await api.route(event(kind, { channel: `c:${String(index)}`, title: 'T' }))).toEqual({
        ...{ session: null, id: null, duplicate: false, made: null },
      });
    }
    expect(sessionsOf(p)).toEqual([]);
    expect([...p.registry.idleConversations(Infinity)]).toEqual([]);
  });

  it('L1: the first message makes session, conversation and message in one commit; the next goes into the same session', async () => {
    const p = open();
    const first = await say('hello', { id: 'm1', title: 'Hello' });
    expect(first).toMatchObject({ id: 'm1', duplicate: false, made: 'created' });
    expect(await say('and on')).toMatchObject({ session: first.session, made: null });
    expect(await say('hello', { id: 'm1' })).toMatchObject({ session: first.session, duplicate: true });
    const [record] = sessionsOf(p);
    expect(record).toMatchObject({ address: first.session, title: 'Hello' });
    expect(await accepted(p, first.session)).toBe(2);
    expect(await say('elsewhere', { channel: 'telegram:77' })).not.toMatchObject({ session: first.session });
  });

  it('L1: of a message that is refused nothing is left', async () => {
    const p = open();
    await expect(api.route(event('message'))).rejects.toThrow('"text" is missing');
    await expect(say('x', { id: '../up' })).rejects.toThrow('message id');
    await expect(say('x', { channel: '' })).rejects.toThrow('"channel" takes 1 to 512 characters');
    await expect(say('x', { group: 'a/b' })).rejects.toThrow('group');
    expect(sessionsOf(p)).toEqual([]);
  });

  it('L1: passing traffic cannot claim a session that an operator made', async () => {
    const p = open();
    const { session: name } = await say('hello');
    await p.close();
    open();
    await api.createSession({ session: String(name), provider: 'echo' });
    const routed = await say('hello');
    expect(routed).toMatchObject({ made: 'created' });
    expect(routed.session).not.toBe(name);
    expect(await accepted(porter, name)).toBe(0);
  });

  it('L2: what is said later of a session fills what is empty, and overwrites nothing', async () => {
    const p = open();
    const { session: name } = await say('hello', { title: 'First' });
    const facts = () => {
      const { title, project, provider } = p.registry.findSession(session(String(name))) ?? {};
      return { title, project, provider };
    };
    expect(facts()).toEqual({ title: 'First', project: null, provider: null });
    await api.route(event('renamed', { title: 'Second', project: 'P', provider: '' }));
    expect(facts()).toEqual({ title: 'First', project: 'P', provider: null });
    await say('more', { project: 'Q', provider: 'echo' });
    expect(facts()).toEqual({ title: 'First', project: 'P', provider: 'echo' });
  });
});

describe('a conversation', () => {
  const dropped = async (p: TestPorter, dryRun = false): Promise<string[]> =>
    (await p.upkeep.collect({ dryRun })).actions
      .filter(({ action }) => action === 'drop_conversation')
      .map(({ channel }) => String(channel));

  it('L6: is dropped after 90 days without a message; what was said stays, and who comes back gets a fresh session', async () => {
    const p = open({ settings: { SESSION_CLOSE_AFTER_MS: 0 } });
    const { session: old } = await say('hello');
    p.clock.advance(90 * DAY);
    expect(await dropped(p)).toEqual([]);
    await api.route(event('typing'));
    p.clock.advance(1);
    expect(await dropped(p, true)).toEqual(['telegram:1234']);
    expect(await dropped(p)).toEqual(['telegram:1234']);
    expect(await dropped(p)).toEqual([]);
    expect(await accepted(p, old)).toBe(1);
    const back = await say('again');
    expect(back).toMatchObject({ made: 'created' });
    expect(back.session).not.toBe(old);
  });

  it.each([
    ['0', 0],
    ['-5', 0],
    ['soon', 1],
  ])('L6: CONVERSATION_MAX_AGE_DAYS %s drops %i of one that is 1,000 days old', async (setting, count) => {
    const p = open({ settings: { CONVERSATION_MAX_AGE_DAYS: setting, SESSION_CLOSE_AFTER_MS: 0 } });
    await say('hello');
    p.clock.advance(1_000 * DAY);
    expect(await dropped(p)).toHaveLength(count);
    expect(p.settings.warnings).toHaveLength(setting === 'soon' ? 1 : 0);
  });

  it('L6: whose session was collected opens it again; whose was closed by an operator, or deleted, gets a fresh one', async () => {
    const p = open();
    const { session: old } = await say('hello');
    const address = session(String(old));
    p.registry.setStatus(address, 'closed', p.clock.now(), 'idle');
    expect(await say('I am back')).toMatchObject({ session: old, made: 'reopened' });
    expect(p.registry.findSession(address)).toMatchObject({ status: 'active', closedAtMs: null });
    expect(await accepted(p, old)).toBe(2);
    p.registry.setStatus(address, 'closed', p.clock.now(), 'operator');
    const second = await say('and again');
    expect(second).toMatchObject({ made: 'created' });
    expect(await say('and on')).toMatchObject({ session: second.session, made: null });
    p.registry.deleteSession(session(String(second.session)), p.clock.now());
    const third = await say('and once more');
    expect(third).toMatchObject({ made: 'created' });
    expect(third.session).not.toBe(old);
  });
});
