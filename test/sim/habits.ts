import type { Chance } from './chance.js';

/** How often a fault strikes, and how containers behave: each seed draws its own (swarm testing). */
export interface Habits {
  /** Mean time between faults of the world, ms; 0: none. */
  readonly faultEveryMs: number;
  readonly faults: Readonly<Record<FaultName, number>>;
  readonly turns: Readonly<Record<TurnHabit, number>>;
  /** Shares of containers. */
  readonly foreign: number;
  readonly diesAtStart: number;
  readonly runsOutOfMemory: number;
  readonly neverClaims: number;
  readonly ignoresTerm: number;
  readonly liesAboutHeartbeat: number;
  /** Share of the runtime's calls. */
  readonly engineSlow: number;
  readonly engineLoses: number;
  /** The list names containers of other installs too. */
  readonly listIsUnfiltered: boolean;
  readonly serieses: number;
  readonly messages: number;
  readonly operations: number;
}

export const FAULTS = [
  'kill_host',
  'kill_at_commit',
  'stop_host',
  'freeze_host',
  'busy_host',
  'engine_down',
  'engine_restart',
  'engine_slow',
  'events_end',
  'events_silent',
  'clock_jump',
  'night_slept',
  'disk_full',
  'files_locked',
  'files_slow',
  'kill_container',
  'freeze_container',
  'unstoppable',
  'refused',
  'hints',
  'stray',
] as const;
export type FaultName = (typeof FAULTS)[number];

export const TURNS = [
  'completes',
  'fails_retryable',
  'fails_fatal',
  'fails_unclassed',
  'rate_limited',
  'dies',
  'dies_after_answer',
  'falls_silent',
  'falls_silent_for_a_while',
  'falls_silent_until_news',
  'makes_no_progress',
  'uses_tool',
  'locks_file',
] as const;
export type TurnHabit = (typeof TURNS)[number];

export function drawHabits(chance: Chance): Habits {
  const share = (most: number): number => (chance.is(0.5) ? 0 : chance.next() * most);
  const weights = <Name extends string>(names: readonly Name[], some: number): Record<Name, number> =>
    Object.fromEntries(names.map((name) => [name, chance.is(some) ? 0 : chance.next()])) as Record<Name, number>;
  const faults = weights(FAULTS, 0.5);
  const turns = weights(TURNS, 0.5);
  const isCalm = Object.values(faults).every((weight) => weight === 0);
  return {
    faultEveryMs: isCalm ? 0 : chance.pick([8_000, 20_000, 60_000]),
    faults,
    turns: { ...turns, completes: chance.pick([0.2, 0.6, 2]) },
    foreign: chance.pick([0, 0, 0.5, 1]),
    diesAtStart: chance.is(0.3) ? chance.pick([0.3, 0.7, 1]) : 0,
    runsOutOfMemory: share(0.1),
    neverClaims: share(0.2),
    ignoresTerm: share(0.3),
    liesAboutHeartbeat: share(0.2),
    engineSlow: share(0.4),
    engineLoses: share(0.1),
    listIsUnfiltered: chance.is(0.5),
    serieses: chance.pick([0, 1, 2]),
    messages: chance.int(3, 20),
    operations: chance.pick([0, 5, 15]),
  };
}

/** Everything behaves. */
export function good(habits: Habits): Habits {
  const none = <Name extends string>(weights: Readonly<Record<Name, number>>): Record<Name, number> =>
    Object.fromEntries(Object.keys(weights).map((name) => [name, 0])) as Record<Name, number>;
  return {
    ...habits,
    faultEveryMs: 0,
    faults: none(habits.faults),
    turns: { ...none(habits.turns), completes: 1 },
    diesAtStart: 0,
    runsOutOfMemory: 0,
    neverClaims: 0,
    ignoresTerm: 0,
    liesAboutHeartbeat: 0,
    engineSlow: 0,
    engineLoses: 0,
  };
}
