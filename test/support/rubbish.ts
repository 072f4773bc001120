import { existsSync, mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ChannelKey } from '../../src/protocol/address.js';
import { formatInstant } from '../../src/protocol/times.js';
import { session } from './porter.js';
import type { TestPorter } from './porter.js';

const DAY = 24 * 3_600_000;
/** What lies in folders of these sessions goes by all of the windows by then. */
export const RUBBISH_AGE_MS = 100 * DAY;
const ID = '0b6e3c1a-4d2f-4a7b-9c8d-112233445566';
export const TRANSCRIPT = `out/.claude/projects/-workspace/${ID}.jsonl`;

/**
 * An install in which upkeep has something of every kind to do about, once `RUBBISH_AGE_MS` have passed, which they have when this
 * returns. `g/kept` stays, as a message waits in it.
 */
export async function makeRubbish(p: TestPorter): Promise<void> {
  for (const name of ['g/deleted', 'g/kept', 'g/idle', 'g/idle-and-gone']) await use(p, name);
  p.send('g/kept', 'later', { trigger: false, afterMs: p.clock.now() + 10 * 365 * DAY });
  await p.look('g/kept');
  p.registry.setStatus(session('g/deleted'), 'closed', p.clock.now(), 'operator');
  await p.files.create(session('h/stray'));
  p.clock.advance(RUBBISH_AGE_MS);
  for (const name of ['g/gone', 'g/new-1', 'g/new-2']) await make(p, name);
  for (const name of ['g/gone', 'g/idle-and-gone'])
    renameSync(p.paths(name).session, join(p.dataDir, `x${name.slice(2)}`));
  const stray = p.paths('h/stray');
  const atS = (p.clock.now() - RUBBISH_AGE_MS) / 1000;
  for (const path of [stray.inbound, stray.outbound, stray.in, stray.out, stray.host, stray.session]) {
    if (existsSync(path)) utimesSync(path, atS, atS);
  }
}

/** Makes more than a quarter of the registry's file free. */
export function freePages(p: TestPorter): void {
  const names = Array.from({ length: 1_000 }, (_, index) => session(`free/s${String(index)}`));
  const facts = { provider: null, image: null, command: ['x'.repeat(500)], createdAtMs: p.clock.now() };
  p.registry.together(() => {
    for (const address of names) p.registry.createSession({ address, ...facts });
  });
  p.registry.together(() => {
    for (const address of names) {
      p.registry.deleteSession(address, p.clock.now());
      p.registry.forgetRemoval(address);
    }
  });
}

async function make(p: TestPorter, name: string): Promise<void> {
  await p.files.create(session(name));
  const facts = { provider: null, image: null, command: null, createdAtMs: p.clock.now() };
  p.registry.createSession({ address: session(name), ...facts });
  await p.look(name);
}

/** Messages, a dead letter, a resume id with its transcript, a debug log and a conversation. */
async function use(p: TestPorter, name: string): Promise<void> {
  for (const id of ['m1', 'dead-1', 'm2']) p.send(name, id);
  await p.round();
  for (const id of ['m1', 'dead-1', 'm2']) p.ack(name, id, id.startsWith('dead') ? 'failed' : 'completed');
  const usedAt = formatInstant(p.clock.now());
  p.write(
    name,
    'INSERT INTO session_state (key, value, updated_at) VALUES (?, ?, ?)',
    ...['provider_session:claude', JSON.stringify({ id: ID, last_used_at: usedAt }), usedAt],
  );
  await p.look(name);
  p.runtime.exit(session(name), { exitCode: 0 });
  await p.look(name);
  for (const path of [TRANSCRIPT, `out/.claude/debug/${ID}.txt`]) {
    const file = join(p.paths(name).session, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'x');
    utimesSync(file, p.clock.now() / 1000, p.clock.now() / 1000);
  }
  p.registry.saveConversation(`c:${name}` as ChannelKey, session(name), p.clock.now());
}
