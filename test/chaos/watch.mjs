import { ROOM } from './settings.mjs';
import { pauseUnless } from './waiting.mjs';

const EVERY_MS = 400;

/** Asks, over and over, what runs: at most one container of a session, and never more than there is room for. */
export class Watch {
  samples = 0;
  mostAtOnce = 0;
  #view;
  #problems;
  #stop = new AbortController();
  #running;

  constructor(view, problems) {
    this.#view = view;
    this.#problems = problems;
  }

  start() {
    this.#running = this.#run();
  }

  async stop() {
    this.#stop.abort();
    await this.#running;
  }

  async #run() {
    while (!this.#stop.signal.aborted) {
      await this.#sample();
      await pauseUnless(this.#stop.signal, EVERY_MS);
    }
  }

  async #sample() {
    const first = await this.#view.running();
    if (first === undefined) return;
    this.samples += 1;
    // A list is not of one moment: what is wrong has to be so in two of them.
    if (complaints(first).length > 0) {
      const still = await this.#view.running();
      const both = still?.filter(({ id }) => first.some((one) => one.id === id)) ?? [];
      for (const [kind, what] of complaints(both)) this.#problems.add(kind, what);
    }
    this.mostAtOnce = Math.max(this.mostAtOnce, first.length);
  }
}

function complaints(running) {
  const bySession = grouped(running);
  const doubles = [...bySession].filter(([, all]) => all.length > 1);
  const found = doubles.map(([session, all]) => [
    'two containers of a session',
    `${session}: incarnations ${all.map(({ epoch }) => epoch).join(' and ')}`,
  ]);
  if (running.length > ROOM) found.push(['more containers than room', `${running.length} of ${ROOM}`]);
  return found;
}

function grouped(running) {
  const groups = new Map();
  for (const one of running) groups.set(one.session, [...(groups.get(one.session) ?? []), one]);
  return groups;
}
