import { ask, command } from './api.mjs';
import { Chances } from './chances.mjs';
import { ERRANDS, GROUPS } from './settings.mjs';
import { pause, pauseUnless } from './waiting.mjs';

const LANES = 6;
const PAUSE_MS = [100, 900];
const WAYS = { single: 66, batch: 16, later: 10, command: 5, commandBatch: 2 };
const BATCH = [3, 12];
const LATER_MS = [1_000, 15_000];
const REPEATED = 0.06;
const AGAIN_MS = 250;
/** What a sender is told when it is not its own fault. */
const PASSING = ['no_answer', 'failed', 'unavailable'];

/**
 * Senders that never lose a message by their own doing: each has some of the sessions to itself, and goes on only when
 * the last message is confirmed, trying it again and again with the same id.
 */
export class Load {
  #places;
  #ledger;
  #problems;
  #lanes;
  #stop = new AbortController();
  #giveUp = new AbortController();
  #running = [];

  constructor({ places, ledger, problems, seed, sessions }) {
    this.#places = places;
    this.#ledger = ledger;
    this.#problems = problems;
    this.#lanes = Array.from({ length: LANES }, (_, lane) => ({
      name: `lane${String(lane)}`,
      chances: Chances.named(seed, `lane ${String(lane)}`),
      sessions: sessions.filter((_session, index) => index % LANES === lane),
    }));
  }

  start() {
    this.#running = this.#lanes.map((lane) => this.#run(lane));
  }

  /** No new messages; resolves when those under way are confirmed. */
  async stop(withinMs) {
    this.#stop.abort();
    const timer = setTimeout(() => this.#giveUp.abort(), withinMs);
    await Promise.all(this.#running);
    clearTimeout(timer);
  }

  async #run(lane) {
    while (!this.#stop.signal.aborted) {
      await this.#sendSome(lane);
      await pauseUnless(this.#stop.signal, lane.chances.between(...PAUSE_MS));
    }
  }

  async #sendSome(lane) {
    const { chances } = lane;
    const way = chances.weighed(WAYS);
    const isBatch = way === 'batch' || way === 'commandBatch';
    const count = isBatch ? chances.between(...BATCH) : 1;
    const messages = Array.from({ length: count }, () => this.#compose(lane, way));
    this.#ledger.sending(messages);
    const send = sender(this.#places, way, messages);
    if (!(await this.#untilConfirmed(send, messages))) return;
    this.#ledger.confirm(messages);
    if (chances.isBelow(REPEATED)) await this.#repeat(send, messages);
  }

  #compose(lane, way) {
    const { chances } = lane;
    const session = chances.pick(lane.sessions);
    const errand = session.startsWith(GROUPS.work) ? chances.weighed(ERRANDS) : 'plain';
    const id = this.#ledger.newId(lane.name);
    const after = way === 'later' ? new Date(Date.now() + chances.between(...LATER_MS)).toISOString() : undefined;
    return { session, id, text: `${id} do-${errand}`, errand, after, lane: lane.name };
  }

  async #untilConfirmed(send, messages) {
    for (;;) {
      const answer = await send();
      if (answer.ok) return true;
      this.#ledger.refused(answer.code);
      const isPassing = PASSING.includes(answer.code) || isHeld(answer);
      if (!isPassing || this.#giveUp.signal.aborted) {
        this.#problems.add(
          'not accepted',
          `${messages[0].session} ${messages[0].id}: ${answer.code}: ${answer.message}`,
        );
        return false;
      }
      await pause(AGAIN_MS);
    }
  }

  /** The same again: it must be known. */
  async #repeat(send, messages) {
    const answer = await send();
    if (!answer.ok) return;
    const { duplicate, duplicates } = answer.value;
    if (duplicate === true || duplicates === messages.length) this.#ledger.repeats += messages.length;
    else
      this.#problems.add('accepted twice', `${messages[0].session} ${messages[0].id}: ${JSON.stringify(answer.value)}`);
  }
}

/** A command found the data dir held by a daemon that did not serve for a while. */
function isHeld({ code, message }) {
  return code === 'refused' && message.includes('is held by');
}

function sender(places, way, messages) {
  const lines = messages
    .map(({ session, id, text, after }) => `${JSON.stringify({ session, id, text, after })}\n`)
    .join('');
  const [{ session, id, text }] = messages;
  switch (way) {
    case 'batch':
      return () => ask(places.dataDir, 'POST', '/v1/messages/batch', lines, 'application/x-ndjson');
    case 'command':
      return () => command(places, ['send', session, text, '--id', id]);
    case 'commandBatch':
      return () => command(places, ['send', '--batch', '-'], lines);
    default:
      return () => ask(places.dataDir, 'POST', '/v1/messages', lines);
  }
}
