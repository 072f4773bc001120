// First: sessions' files are opened often, and their handles are kept for the next who opens the same file.
import { closeHandles } from '../../sim/shared-handles.js';
import { afterEach, describe, expect, it } from 'vitest';
import { CrashBench, keptBy, outcomes, toRest } from '../../support/crash-bench.js';
import { SCENARIOS } from '../../support/crash-scenarios.js';
import type { CrashScenario } from '../../support/crash-scenarios.js';
import type { Stage } from '../../support/crash-steps.js';
import { Cuts } from '../../support/cuts.js';
import type { Cut, CutWay } from '../../support/cuts.js';
import { fingerprint } from '../../support/fingerprint.js';
import { breaches, breachesAtRest, breachesInRound, forgottenStarts, overlooked } from '../../support/invariants.js';
import { planted } from '../../support/planted-faults.js';
import { isWholeSuite } from '../../support/whole-suite.js';
import type { PlantedFault } from '../../support/planted-faults.js';

let bench: CrashBench;

afterEach(() => {
  closeHandles();
  bench.close();
});

interface Undisturbed {
  /** `port.method`, in order. */
  readonly calls: readonly string[];
  /** Those before and after which a host leaves something that it did not leave at any call before. */
  readonly news: Readonly<Record<'before' | 'after', ReadonlySet<number>>>;
  readonly outcomes: unknown;
}

/** The scenario with nothing cut. */
async function undisturbed(scenario: CrashScenario, fault: PlantedFault): Promise<Undisturbed> {
  const seen = new Set<string>();
  const news = { before: new Set<number>(), after: new Set<number>() };
  const cuts = new Cuts(null, (when, call) => {
    const { p, runners } = stage;
    const left = fingerprint(bench.dataDir, p.runtime.snapshot(), runners.story, p.clock.now());
    if (!seen.has(left)) news[when].add(call);
    seen.add(left);
  });
  const stage = bench.openIn(bench.again(), { ports: (ports) => fault(cuts.ports(ports)) });
  await scenario.act(stage);
  cuts.over();
  const found = await followUp(scenario, stage, { isNew: false, engineFailed: false });
  expect(found.breaches).toEqual([]);
  return { calls: cuts.calls, news, outcomes: found.outcomes };
}

/** The scenario with one call cut, and what is wrong then. */
async function cutAt(
  scenario: CrashScenario,
  { at, way }: Cut,
  whole: Undisturbed,
  fault: PlantedFault,
): Promise<readonly string[]> {
  const call = whole.calls[at - 1] ?? '';
  const where = `${way} ${String(at)} ${call}`;
  const world = bench.again();
  const cuts = new Cuts({ at, way });
  let stage = bench.openIn(world, { ports: (ports) => fault(cuts.ports(ports)) });
  const { p: first } = stage;
  const act = scenario.act(stage).catch((error: unknown) => {
    if (!cuts.hasCut) throw error;
  });
  await Promise.race([act, cuts.died]);
  cuts.over();
  expect(cuts.calls[at - 1], where).toBe(call);
  expect(cuts.isDead, where).toBe(way.startsWith('died'));
  if (cuts.isDead) {
    // Whatever the dead host still has in hand comes to nothing.
    await new Promise(setImmediate);
    first.abandon();
    const left = { ...world, engine: first.runtime.snapshot(), nowMs: first.clock.now() };
    stage = bench.openIn(left, { ports: fault });
  }
  const found = await followUp(scenario, stage, { isNew: cuts.isDead, engineFailed: call.startsWith('runtime.') });
  // What ended while the engine failed is put down to it, and so costs nothing.
  const isAlike = scenario.endsAlike === true && !call.startsWith('runtime.');
  const isUnlike = isAlike && JSON.stringify(found.outcomes) !== JSON.stringify(whole.outcomes);
  const unlike = isUnlike ? [`ended otherwise: ${JSON.stringify(found.outcomes)}`] : [];
  return [...found.breaches, ...unlike].map((breach) => `${where}: ${breach}`);
}

/** What a host makes of it, until nothing is left to do. */
async function followUp(
  scenario: CrashScenario,
  stage: Stage,
  { isNew, engineFailed }: { readonly isNew: boolean; readonly engineFailed: boolean },
): Promise<{ readonly breaches: readonly string[]; readonly outcomes: unknown }> {
  const { p, runners } = stage;
  const kept = { ...keptBy(p), engineFailed };
  const found = [...breaches(kept, runners.story), ...(isNew ? overlooked(kept) : [])];
  await scenario.again?.(stage);
  await toRest(stage, () => {
    found.push(...breachesInRound(kept, p.rounds.state().running));
    if (isNew) found.push(...forgottenStarts(kept, runners.story));
  });
  found.push(...breachesAtRest(kept, runners.story));
  const ended = outcomes(p);
  await p.rounds.stop();
  p.abandon();
  return { breaches: found, outcomes: ended };
}

/** Of the calls at which an error is thrown, and the host goes on: a whole suite takes all of them, which needs minutes. */
const EVERY = isWholeSuite ? 1 : 8;
const WAYS: readonly CutWay[] = ['thrown', 'unanswered', 'died_before', 'died_after'];

/** The calls to cut in a way. Where a dead host leaves nothing new, the next one finds what it found before. */
function pointsOf({ calls, news }: Undisturbed, way: CutWay): readonly number[] {
  const all = calls.map((_, index) => index + 1);
  switch (way) {
    case 'thrown':
      return all.filter((at) => at % EVERY === 0);
    case 'unanswered':
      return all.filter((at) => calls[at - 1]?.startsWith('registry.') === false);
    case 'died_before':
      return all.filter((at) => news.before.has(at));
    case 'died_after':
      return all.filter((at) => news.after.has(at));
  }
}

/** Cuts everything in every way; how often, and what was wrong. */
async function cutEverywhere(scenario: CrashScenario, ways: readonly CutWay[], fault: PlantedFault = (same) => same) {
  bench = CrashBench.fresh(scenario);
  await bench.arrange();
  const whole = await undisturbed(scenario, fault);
  const found: string[] = [];
  const cuts = new Map<CutWay, number>();
  for (const way of ways) {
    const points = pointsOf(whole, way);
    cuts.set(way, points.length);
    for (const at of points) found.push(...(await cutAt(scenario, { at, way }, whole, fault)));
  }
  return { calls: whole.calls.length, cuts, found };
}

describe('F5, F7, F10, F22: a host whose calls are cut, one after the other, keeps every promise', () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    { timeout: 120_000 },
    async (name, scenario) => {
      const { calls, cuts, found } = await cutEverywhere(scenario, WAYS);
      const counted = [...cuts].map(([way, points]) => `${way.replace('_', ' ')} ${String(points)}`).join(', ');
      process.stdout.write(`${name}: ${String(calls)} calls; ${counted}\n`);
      expect(found).toEqual([]);
      expect(Math.min(...cuts.values())).toBeGreaterThan(0);
    },
  );
});

describe('a promise that is broken is seen', () => {
  const scenario = (begin: string): CrashScenario => {
    const one = SCENARIOS.find(({ name }) => name.startsWith(begin));
    if (one === undefined) throw new Error(`no scenario ${begin}`);
    return one;
  };

  it('F7: a fruitless start whose end and count are not written together is not counted', async () => {
    const { found } = await cutEverywhere(scenario('a container that ended'), ['died_after'], planted.noTransactions);
    expect(found.join('\n')).toContain('guard counts 0 fruitless starts instead of 1');
  });

  it('an accepted message that leaves the spool before it is in its file is lost', async () => {
    const { found } = await cutEverywhere(scenario('spooled messages'), ['died_after'], planted.unspooledFirst);
    expect(found.join('\n')).toContain('accepted and lost');
  });

  it('a container that is stopped before its host writes down why is stopped for no reason', async () => {
    const { found } = await cutEverywhere(scenario('an idle container'), ['died_after'], planted.reasonsLast);
    expect(found.join('\n')).toContain('stopped for no reason');
  });
});
