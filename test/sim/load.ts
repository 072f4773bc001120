import type { DeskApi, ScheduleChange, SendInput, SessionChange } from '../../src/desk/api.js';
import { NightporterError } from '../../src/protocol/errors.js';
import type { MessageId, SessionAddress } from '../../src/protocol/address.js';
import type { SimHost } from './host.js';
import type { SeriesTruth, Truth } from './truth.js';
import type { World } from './world.js';

/** When a sender tries again that was refused or got no answer. */
const AGAIN_MS = 4_000;

/** The people and channels around the host: they send, and send again until they are told that it is kept. */
export class Load {
  readonly sessions: readonly SessionAddress[];
  readonly #world: World;
  readonly #truth: Truth;
  readonly #host: () => SimHost | null;
  #ids = 0;

  constructor(world: World, truth: Truth, host: () => SimHost | null) {
    this.#world = world;
    this.#truth = truth;
    this.#host = host;
    const names = ['a/one', 'a/two', 'b/one', 'b/two', 'b/three'] as SessionAddress[];
    this.sessions = names.slice(0, world.chance.int(1, names.length));
    // At the time at which it is stopped, or nearly so.
    world.onSilence((session, limitMs) => {
      const { chance, timeline, settings } = world;
      timeline.at(limitMs + chance.int(0, settings.sweepIntervalMs), null, () => {
        this.#message(session);
      });
    });
    world.onOccurrence((_, id) => {
      const { chance, habits, timeline } = world;
      if (habits.operations === 0 || !chance.is(0.3)) return;
      timeline.at(chance.int(0, 3_000), null, () => {
        this.#pause(id);
      });
    });
  }

  #pause(id: string): void {
    const api = this.#host()?.api;
    const series = this.#truth.serieses.get(id);
    if (api === undefined || series === undefined || this.#world.isQuiet) return;
    series.isTouched = true;
    this.#changeSeries(api, series, 'pause', 'paused').catch(ignore);
  }

  /** Everything that will be sent and done within `withinMs`. */
  plan(withinMs: number): void {
    const { chance, habits, timeline } = this.#world;
    const at = (run: () => void): void => {
      timeline.at(chance.int(0, withinMs), null, run);
    };
    for (let count = 0; count < habits.messages; count += 1) {
      const burst = chance.is(0.1) ? 5 : 1;
      at(() => {
        const session = chance.pick(this.sessions);
        for (let one = 0; one < burst; one += 1) this.#message(session);
      });
    }
    for (let count = 0; count < habits.serieses; count += 1)
      at(() => {
        this.#series();
      });
    for (let count = 0; count < habits.operations; count += 1)
      at(() => {
        this.#operate();
      });
  }

  /** The operator lets everything go on. */
  async letGo(api: DeskApi): Promise<void> {
    for (const session of this.sessions) {
      for (const change of ['reopen', 'resume', 'release'] as const)
        await this.#change(api, session, change).catch(ignore);
    }
    for (const series of this.#truth.serieses.values()) {
      if (series.state === 'cancelled') continue;
      await this.#changeSeries(api, series, 'resume', 'goes_on').catch(ignore);
    }
  }

  /** One more for each session where something waits: what wakes nobody by itself is taken along. */
  sendLast(): void {
    for (const session of new Set(this.#truth.unfinished().map((message) => message.session))) {
      this.#ids += 1;
      this.#send({ session, text: 'one of the last', id: `last${String(this.#ids)}` }, null);
    }
  }

  async cancelAll(api: DeskApi): Promise<void> {
    for (const series of this.#truth.serieses.values()) {
      if (series.state !== 'cancelled') await this.#changeSeries(api, series, 'cancel', 'cancelled').catch(ignore);
    }
  }

  // --- messages

  #message(session: SessionAddress): void {
    const { chance, timeline } = this.#world;
    const afterMs = chance.is(0.1) ? timeline.wallMs + chance.int(1_000, 300_000) : null;
    this.#ids += 1;
    this.#send(
      {
        session,
        text: `text ${String(this.#ids)}`,
        id: `m${String(this.#ids)}`,
        ...(afterMs === null ? {} : { after: new Date(afterMs).toISOString() }),
        ...(chance.is(0.08) ? { noWake: true } : {}),
      },
      null,
    );
  }

  #series(): void {
    const { chance } = this.#world;
    const session = chance.pick(this.sessions);
    const everyMinutes = chance.pick([1, 2, 5, 60]);
    const policy = chance.pick(['latest', 'skip', 'all'] as const);
    this.#ids += 1;
    const id = `s${String(this.#ids)}`;
    this.#truth.serieses.set(id, {
      id,
      session,
      everyMinutes: new Set([everyMinutes]),
      policy,
      state: 'unknown',
      changes: 0,
      underWay: 0,
      isTouched: false,
      seen: new Set(),
    });
    const tz = chance.pick(['UTC', 'Europe/Berlin', 'Australia/Lord_Howe']);
    this.#send({ session, text: 'again', id, cron: cronOf(everyMinutes), tz, missed: policy }, id);
  }

  #send(input: SendInput, series: string | null): void {
    const message = this.#truth.sent(input.id as MessageId, input.session as SessionAddress, series);
    const host = this.#host();
    const again = (): void => {
      // Whether it was accepted by then is not known.
      message.order = null;
      this.#world.timeline.at(AGAIN_MS, null, () => {
        this.#send(input, series);
      });
    };
    if (host === null || host.isDead) {
      again();
      return;
    }
    let isAnswered = false;
    host.api.send(input).then(
      () => {
        isAnswered = true;
        message.isConfirmed = true;
        this.#world.note('accepted', () => `${message.id} for ${message.session}`);
        const known = series === null ? undefined : this.#truth.serieses.get(series);
        if (known?.changes === 0) known.state = 'goes_on';
      },
      () => {
        isAnswered = true;
        if (!message.isConfirmed) again();
      },
    );
    this.#world.timeline.at(AGAIN_MS, null, () => {
      if (!isAnswered) again();
    });
  }

  // --- operators

  #operate(): void {
    const { chance } = this.#world;
    const api = this.#host()?.api;
    if (api === undefined) return;
    const session = chance.pick(this.sessions);
    const serieses = [...this.#truth.serieses.values()].filter(({ state }) => state !== 'cancelled');
    const what = chance.weighted({
      retry: 2,
      suspend: 1,
      resume: 1,
      close: 0.5,
      reopen: 1,
      release: 1,
      sweep: 1,
      series: serieses.length === 0 ? 0 : 10,
    });
    this.#world.note('operator', () => `${what} ${session}`);
    if (what === 'retry') this.#retry(api, session).catch(ignore);
    else if (what === 'sweep') api.sweep({ dryRun: chance.is(0.5) }).catch(ignore);
    else if (what === 'series') this.#operateSeries(api, chance.pick(serieses)).catch(ignore);
    else this.#change(api, session, what).catch(ignore);
  }

  async #change(api: DeskApi, session: SessionAddress, change: SessionChange): Promise<void> {
    if (change === 'release') this.#truth.guardReleased(session);
    await api.changeSession(session, change);
    if (change === 'release') this.#truth.guardReleased(session);
  }

  async #retry(api: DeskApi, session: SessionAddress): Promise<void> {
    const dead = [...this.#truth.messages.values()].filter((one) => one.session === session && one.ended === 'failed');
    if (dead.length === 0) return;
    for (const message of dead) message.replays += 1;
    await api.retryDead({ session, ids: dead.map(({ id }) => id) });
  }

  async #operateSeries(api: DeskApi, series: SeriesTruth): Promise<void> {
    const { chance } = this.#world;
    series.isTouched = true;
    const change = chance.pick(['pause', 'pause', 'resume', 'run-now', 'set', 'cancel'] as const);
    if (change === 'pause') await this.#changeSeries(api, series, 'pause', 'paused');
    else if (change === 'resume') await this.#changeSeries(api, series, 'resume', 'goes_on');
    else if (change === 'cancel') await this.#changeSeries(api, series, 'cancel', 'cancelled');
    else if (change === 'run-now') await api.changeSchedule(series.session, series.id, { change: 'run-now' });
    else {
      const everyMinutes = chance.pick([1, 2, 5, 60]);
      series.everyMinutes.add(everyMinutes);
      await api.changeSchedule(series.session, series.id, { change: 'set', cron: cronOf(everyMinutes) });
    }
  }

  /** Until its end is seen nobody knows whether it happened. */
  async #changeSeries(
    api: DeskApi,
    series: SeriesTruth,
    change: ScheduleChange['change'],
    then: SeriesTruth['state'],
  ): Promise<void> {
    const before = series.state;
    series.state = 'unknown';
    series.changes += 1;
    const mine = series.changes;
    const isAlone = series.underWay === 0;
    series.underWay += 1;
    // Of two changes at once nobody knows which came last.
    const settle = (state: SeriesTruth['state']): void => {
      series.underWay -= 1;
      if (isAlone && series.changes === mine) series.state = state;
    };
    try {
      await api.changeSchedule(series.session, series.id, { change });
    } catch (error) {
      // Refused: nothing was done. What is cancelled by a file worker that is killed before it answers is not found when it is asked again.
      const codes = change === 'cancel' ? ['usage', 'refused'] : ['usage', 'refused', 'not_found'];
      const isRefused = error instanceof NightporterError && codes.includes(error.code);
      settle(isRefused ? before : 'unknown');
      throw error;
    }
    settle(then);
  }
}

function cronOf(everyMinutes: number): string {
  return everyMinutes === 60 ? '0 * * * *' : `*/${String(everyMinutes)} * * * *`;
}

function ignore(): void {
  // Refused, failed, or its host is gone: that is what it is about.
}
