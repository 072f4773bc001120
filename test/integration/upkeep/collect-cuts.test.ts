import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CollectBench } from '../../support/collect-bench.js';
import { Cuts } from '../../support/cuts.js';
import type { CutWay } from '../../support/cuts.js';
import { isWholeSuite } from '../../support/whole-suite.js';

const WAYS: readonly CutWay[] = ['thrown', 'unanswered', 'died_before', 'died_after'];
/** A whole suite takes all of the calls. */
const EVERY = isWholeSuite ? 1 : 2;
const SETTINGS_LINE = 'L4, L9: upkeep';

describe(`${SETTINGS_LINE}, cut at every call of its ports`, () => {
  let bench: CollectBench;
  let calls: readonly string[] = [];
  let whole: unknown;

  beforeAll(async () => {
    bench = await CollectBench.fresh();
    bench.restore();
    const cuts = new Cuts(null);
    const p = bench.open({ ports: cuts.ports });
    await p.upkeep.collect({ dryRun: false });
    cuts.over();
    ({ calls } = cuts);
    whole = await bench.catchUp(p);
    expect(bench.breaches(p)).toEqual([]);
    await p.rounds.stop();
    p.abandon();
  }, 60_000);
  afterAll(() => {
    bench.close();
  });

  it('does what it is there for where nothing is cut', () => {
    expect(whole).toEqual({
      folders: ['busy', 'idle', 'pinned', 'pruned'],
      rows: [
        ['g/busy', 'active', { pending: 1, processing: 0, completed: 0, failed: 0, paused: 0 }],
        ['g/idle', 'closed', { pending: 0, processing: 0, completed: 1, failed: 0, paused: 0 }],
        ['g/pinned', 'active', { pending: 0, processing: 0, completed: 2, failed: 1, paused: 0 }],
        ['g/pruned', 'active', { pending: 1, processing: 0, completed: 0, failed: 0, paused: 0 }],
      ],
      ids: [['later'], ['m3'], ['m1', 'dead-2', 'm3'], ['later']],
      left: [],
      prunes: [],
    });
  });

  it.each(WAYS)(
    '%s: nothing is left half done, nothing lost, and it ends alike',
    async (way) => {
      let tried = 0;
      for (const [index, call] of calls.entries()) {
        if (way === 'unanswered' && call.startsWith('registry.')) continue;
        if (index % EVERY > 0) continue;
        tried += 1;
        bench.restore();
        const where = `${way} ${String(index + 1)} ${call}`;
        const cuts = new Cuts({ at: index + 1, way });
        let p = bench.open({ ports: cuts.ports });
        const act = p.upkeep.collect({ dryRun: false }).catch(() => undefined);
        await Promise.race([act, cuts.died]);
        cuts.over();
        expect(cuts.hasCut, where).toBe(true);
        if (cuts.isDead) {
          await new Promise(setImmediate);
          p.abandon();
          p = bench.open();
        }
        expect(bench.breaches(p), where).toEqual([]);
        expect(await bench.catchUp(p), where).toEqual(whole);
        await p.rounds.stop();
        p.abandon();
      }
      process.stderr.write(`${SETTINGS_LINE}: ${way} at ${String(tried)} of ${String(calls.length)} calls\n`);
    },
    120_000,
  );
});
