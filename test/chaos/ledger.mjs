import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * The senders' own record, on another disk than the daemon's: what was tried to be sent before it was, and what was
 * confirmed once it was on that disk. Every message: `{ session, id, text, errand, after, lane }`.
 */
export class Ledger {
  confirmed = 0;
  repeats = 0;
  refusals = new Map();
  #file;
  #count = 0;

  constructor(file) {
    this.#file = openSync(file, 'a');
  }

  /** An id that nobody has. */
  newId(lane) {
    this.#count += 1;
    return `${lane}-${String(this.#count).padStart(6, '0')}`;
  }

  sending(messages) {
    this.#append(messages.map((message) => ({ sending: message })));
  }

  confirm(messages) {
    this.#append(messages.map(({ session, id }) => ({ confirmed: { session, id } })));
    fsyncSync(this.#file);
    this.confirmed += messages.length;
  }

  refused(code) {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  close() {
    closeSync(this.#file);
  }

  #append(entries) {
    writeSync(this.#file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  }
}

/** What the file says, by `session id`: in the order of confirmation. */
export function readLedger(file) {
  const sent = new Map();
  const accepted = new Map();
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { sending, confirmed } = JSON.parse(line);
    if (sending !== undefined) sent.set(keyOf(sending), sending);
    else accepted.set(keyOf(confirmed), sent.get(keyOf(confirmed)));
  }
  return { sent, accepted };
}

export function keyOf({ session, id }) {
  return `${session} ${id}`;
}
