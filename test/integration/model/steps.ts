import fc from 'fast-check';
import { expect } from 'vitest';
import type { SendInput } from '../../../src/desk/api.js';
import type { MissedPolicy } from '../../../src/protocol/rows.js';
import { formatInstant } from '../../../src/protocol/times.js';
import { chunksOf } from '../../support/desk-fixture.js';
import type { Model } from './model.js';
import { claimsOf, HOUR_MS, MINUTE_MS, SECOND_MS } from './rows.js';
import type { Message, Outcome, Session } from './rows.js';
import { EVERY_HOUR } from './series.js';
import type { System } from './system.js';
import { listsOf, viewOf } from './view.js';

type Happening = (model: Model, system: System) => Promise<void> | void;
type HowItEnds = Outcome | 'dies';

/** Something that happens to both; then each comes to rest, and they have to look the same. */
class Step implements fc.AsyncCommand<Model, System> {
  readonly check: (model: Readonly<Model>) => boolean;
  readonly #name: string;
  readonly #happen: Happening;

  constructor(name: string, check: Step['check'], happen: Happening) {
    this.check = check;
    this.#name = name;
    this.#happen = happen;
  }

  async run(model: Model, system: System): Promise<void> {
    await this.#happen(model, system);
    await compared(model, system);
  }

  toString(): string {
    return this.#name;
  }
}

async function compared(model: Model, system: System): Promise<void> {
  model.rest();
  await system.rest();
  expect(system.view()).toEqual(viewOf(model));
}

/** What operators list; it is there all the time, but reading it takes as long as many a step. */
export async function comparedLists(model: Model, system: System): Promise<void> {
  expect(await system.lists()).toEqual(listsOf(model));
}

/** A step for a session that there is. */
function stepOf(
  name: string,
  what: string,
  can: (one: Session) => boolean,
  happen: (one: Session, ...both: Parameters<Happening>) => ReturnType<Happening>,
): Step {
  return new Step(
    `${name} ${what}`,
    ({ sessions }) => {
      const one = sessions.get(name);
      return one !== undefined && can(one);
    },
    (model, system) => happen(requireSession(model, name), model, system),
  );
}

function requireSession({ sessions }: Model, name: string): Session {
  const one = sessions.get(name);
  if (one === undefined) throw new Error(`no session ${name}`);
  return one;
}

const always = (): boolean => true;
const runs = ({ container }: Session): boolean => container !== null;
const isFree = (one: Session): boolean => runs(one) && claimsOf(one).length === 0;
const isAtWork = (one: Session): boolean => claimsOf(one).length > 0 && one.container?.silentSinceMs === null;

const session = fc.constantFrom('g/a', 'g/a', 'g/b');
const outcome = fc.constantFrom<Outcome>('completed', 'completed', 'retryable', 'rate_limited', 'fatal');
const howItEnds: fc.Arbitrary<HowItEnds> = fc.oneof(outcome, fc.constant('dies' as const));
const times = fc.constantFrom(1, 1, 2, 3);
const nth = fc.nat(5);

// --- what people ask for

interface SendOptions {
  readonly wakes?: boolean;
  readonly afterMs?: number;
}

const sendOptions = fc.constantFrom<SendOptions>({}, {}, {}, { wakes: false }, { afterMs: 90 * SECOND_MS });

function inputOf(name: string, { wakes = true, afterMs }: SendOptions, id: string, { nowMs }: Model): SendInput {
  const after = afterMs === undefined ? undefined : formatInstant(nowMs + afterMs);
  return { session: name, text: id, id, noWake: !wakes, after };
}

async function send(name: string, options: SendOptions, model: Model, system: System): Promise<void> {
  system.meet(name);
  const isDone = await system.ask((desk) => desk.send(inputOf(name, options, `m${model.sent}`, model)));
  expect(isDone).toBe(model.send(name, options));
}

const isSent = fc
  .tuple(session, sendOptions)
  .map(
    ([name, options]) =>
      new Step(`${name} is sent ${JSON.stringify(options)}`, always, (...both) => send(name, options, ...both)),
  );

/** In one commit, and so in one delivery. */
const isSentSeveral = fc.tuple(session, fc.array(sendOptions, { minLength: 2, maxLength: 4 })).map(
  ([name, several]) =>
    new Step(`${name} is sent ${JSON.stringify(several)}`, always, async (model, system) => {
      const lines = several.map((options, at) => JSON.stringify(inputOf(name, options, `m${model.sent + at}`, model)));
      system.meet(name);
      const isDone = await system.ask((desk) => desk.sendBatch(chunksOf(lines.join('\n')), undefined));
      for (const options of several) expect(model.send(name, options)).toBe(isDone);
    }),
);

const isSentSeries = fc.tuple(session, fc.constantFrom<MissedPolicy>('latest', 'skip', 'all')).map(
  ([name, missed]) =>
    new Step(`${name} is sent a series (${missed})`, always, async (model, system) => {
      const id = `m${model.sent}`;
      system.meet(name);
      const isDone = await system.ask((desk) => desk.send({ session: name, text: id, id, cron: EVERY_HOUR, missed }));
      expect(isDone).toBe(model.sendSeries(name, missed));
    }),
);

const verbs = ['suspend', 'resume', 'resume', 'close', 'reopen', 'reopen', 'release', 'release'] as const;
const isChanged = fc.tuple(session, fc.constantFrom(...verbs)).map(([name, verb]) =>
  stepOf(name, `is asked to ${verb}`, always, async (one, model, system) => {
    const isDone = await system.ask((desk) => desk.changeSession(name, verb));
    expect(isDone).toBe(model.change(one, verb));
  }),
);

/** One of the messages of a session that are so, whatever their number. */
function find(one: Session, isSo: (row: Message) => boolean, at: number): Message | undefined {
  const found = one.messages.filter(isSo);
  return found[at % Math.max(found.length, 1)];
}

const isDead = ({ status }: Message): boolean => status === 'failed';
const isLive = (row: Message): boolean => row.isLive;

const retries = fc.tuple(session, nth).map(([name, at]) =>
  stepOf(
    name,
    `has dead letter ${at} tried again`,
    (one) => find(one, isDead, at) !== undefined,
    async (one, model, system) => {
      const dead = find(one, isDead, at);
      if (dead === undefined) return;
      const isDone = await system.ask((desk) => desk.retryDead({ session: name, ids: [dead.id] }));
      expect(isDone).toBe(model.retry(one, dead));
    },
  ),
);

async function changeSeries(
  one: Session,
  live: Message,
  change: 'pause' | 'resume' | 'cancel',
  model: Model,
  system: System,
): Promise<void> {
  const isDone = await system.ask((desk) => desk.changeSchedule(one.name, live.series?.id ?? '', { change }));
  expect(isDone).toBe(model.changeSeries(one, live, change));
}

const changesSeries = fc
  .tuple(session, nth, fc.constantFrom('pause' as const, 'pause' as const, 'resume' as const, 'cancel' as const))
  .map(([name, at, change]) =>
    stepOf(
      name,
      `has series ${at} changed: ${change}`,
      (one) => find(one, isLive, at) !== undefined,
      async (one, model, system) => {
        const live = find(one, isLive, at);
        if (live === undefined) return;
        await changeSeries(one, live, change, model, system);
      },
    ),
  );

// --- what containers do

function claim(one: Session, model: Model, system: System): void {
  expect(system.claim(one.name)).toEqual(model.claim(one));
}

function end(one: Session, how: HowItEnds, model: Model, system: System): void {
  if (how === 'dies') {
    system.die(one.name);
    model.die(one);
  } else {
    system.end(one.name, how);
    model.end(one, how);
  }
}

/** Several times what happens to a session whose container can take something, whenever there is something to do. */
async function again(
  most: number,
  one: Session,
  model: Model,
  system: System,
  happen: () => Promise<void> | void,
): Promise<void> {
  for (let time = 1; time <= most && isFree(one); time += 1) {
    await happen();
    if (time === most) return;
    await compared(model, system);
    passUntilNext(0, model, system);
    await compared(model, system);
  }
}

/** What is changed of a series while an occurrence of it is under way. */
const meanwhiles = fc.constantFrom(null, 'pause' as const, 'cancel' as const);
const kinds = fc.constantFrom('seen', 'seen', 'seen', 'unseen' as const);
const hasTurns = fc.tuple(session, howItEnds, times, kinds, meanwhiles).map(([name, how, most, kind, meanwhile]) =>
  stepOf(name, `has turns: ${kind}, ${meanwhile ?? ''} ${how} (${most})`, isFree, (one, model, system) =>
    again(most, one, model, system, async () => {
      claim(one, model, system);
      if (kind === 'seen') await compared(model, system);
      const live = claimsOf(one).find(isLive);
      if (meanwhile !== null && live !== undefined) await changeSeries(one, live, meanwhile, model, system);
      if (claimsOf(one).length > 0) end(one, how, model, system);
    }),
  ),
);
const isFruitless = fc.tuple(session, times).map(([name, most]) =>
  stepOf(name, `claims nothing and dies (${most})`, isFree, (one, model, system) =>
    again(most, one, model, system, () => {
      end(one, 'dies', model, system);
    }),
  ),
);

const claims = session.map((name) => stepOf(name, 'claims', isFree, claim));
const endsTurn = fc.tuple(session, howItEnds).map(([name, how]) =>
  stepOf(name, `ends its turn: ${how}`, isAtWork, (one, ...both) => {
    end(one, how, ...both);
  }),
);
const endsTurnAndDies = fc.tuple(session, outcome).map(([name, how]) =>
  stepOf(name, `ends its turn and itself: ${how}`, isAtWork, (one, model, system) => {
    model.unseen(one);
    end(one, how, model, system);
    end(one, 'dies', model, system);
  }),
);
const goesSilent = session.map((name) =>
  stepOf(name, 'goes silent', isAtWork, (one, model, system) => {
    system.goSilent(name);
    model.goSilent(one);
  }),
);

// --- time, and the host

function pass(ms: number, model: Model, system: System): void {
  system.pass(ms);
  model.nowMs += ms;
}

const shortly = fc.constantFrom(SECOND_MS, 7 * SECOND_MS, 61 * SECOND_MS, 2 * MINUTE_MS, 6 * MINUTE_MS, 16 * MINUTE_MS);
const long = fc.constantFrom(31 * MINUTE_MS, 70 * MINUTE_MS, 5 * HOUR_MS, 30 * HOUR_MS);
const passes = fc.oneof({ weight: 4, arbitrary: shortly }, { weight: 1, arbitrary: long }).map(
  (ms) =>
    new Step(`${ms / SECOND_MS} s pass`, always, (...both) => {
      pass(ms, ...both);
    }),
);

const becomesDue = fc.constantFrom(0, 0, 0, 1).map(
  (earlyMs) =>
    new Step(`something becomes due${earlyMs === 0 ? '' : ', but for a millisecond'}`, always, (...both) => {
      passUntilNext(earlyMs, ...both);
    }),
);

/** Until there is something to do that nobody has to ask for. */
function passUntilNext(earlyMs: number, model: Model, system: System): void {
  const instants = [...model.sessions.values()].flatMap(({ messages, held, probeMs, notBeforeMs }) => [
    ...messages.filter(({ status }) => status === 'pending').map(({ dueMs }) => dueMs),
    held === null ? notBeforeMs : probeMs,
  ]);
  const ahead = instants.filter((atMs) => atMs > model.nowMs);
  if (ahead.length > 0) pass(Math.min(...ahead) - model.nowMs - earlyMs, model, system);
}

const anotherRound = fc.constant(
  new Step('another round', always, async (model, system) => {
    const { wasLate } = model;
    const { actions } = await system.rest();
    if (!wasLate) expect(actions).toEqual([]);
    await comparedLists(model, system);
  }),
);

const lives = fc.oneof(howItEnds, fc.constantFrom('is sent something' as const, 'lives' as const));
const hostIsGone = fc.tuple(fc.constantFrom(0, 0, 90 * SECOND_MS, HOUR_MS), session, lives).map(
  ([goneMs, name, how]) =>
    new Step(`the host is gone for ${goneMs / SECOND_MS} s, ${name}: ${how}`, always, async (model, system) => {
      model.nowMs += goneMs;
      await system.restart(goneMs, async () => {
        model.hostDies();
        const one = model.sessions.get(name);
        if (how === 'is sent something') await send(name, {}, model, system);
        else if (how === 'lives' || one === undefined) return;
        else if (how === 'dies' ? runs(one) : isAtWork(one)) end(one, how, model, system);
      });
      model.hostStarts();
    }),
);

export const steps: fc.Arbitrary<fc.AsyncCommand<Model, System>> = fc.oneof(
  ...[hasTurns, isSent].map((arbitrary) => ({ weight: 6, arbitrary })),
  ...[becomesDue, claims, endsTurn, passes].map((arbitrary) => ({ weight: 4, arbitrary })),
  ...[isChanged, hostIsGone, changesSeries, retries, isSentSeries].map((arbitrary) => ({ weight: 2, arbitrary })),
  ...[isSentSeveral, endsTurnAndDies, goesSilent, isFruitless, anotherRound].map((arbitrary) => ({
    weight: 1,
    arbitrary,
  })),
);
