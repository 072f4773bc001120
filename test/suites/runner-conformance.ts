import { afterAll, describe, it } from 'vitest';
import { RunnerBench } from '../support/runner-bench.js';
import type { RunnerUnderTest } from '../support/runner-bench.js';
import { CLAIMING } from './runner-rules/claiming.js';
import { ENDING } from './runner-rules/ending.js';
import { LIVING } from './runner-rules/living.js';
import { STARTING } from './runner-rules/starting.js';
import { TURNS } from './runner-rules/turns.js';
import type { RuleCase } from './runner-rules/rule-case.js';
import { recordRules, type CaseResult } from '../support/runner-table.js';

/** One or more cases of each rule of docs/protocol.md, by its id. */
export const RULE_CASES: readonly RuleCase[] = [...STARTING, ...CLAIMING, ...TURNS, ...LIVING, ...ENDING];

/** Those that mounts, signals and exit codes have a part in: what a container may change for a runner that keeps all of them outside. */
export const CONTAINER_CASES: readonly RuleCase[] = [...STARTING, ...LIVING, ...ENDING];

/**
 * What docs/protocol.md asks of a runner, asked of this one: through its files, its heartbeat and its exit code alone.
 * Prints a table of rules and runners at the end, and keeps it in reports/runner-suite.json.
 */
export function describeRunner(runner: RunnerUnderTest, cases: readonly RuleCase[] = RULE_CASES): void {
  describe(`${runner.name} as a runner, ${runner.runtime} runtime`, () => {
    // By case: one that was tried twice counts as it ended.
    const results = new Map<RuleCase, CaseResult>();
    for (const one of cases) {
      if (one.takes === 'attempts' && runner.knows === 'nanoclaw_v2') {
        results.set(one, 'not applicable');
        continue;
      }
      it(`${one.rule}: ${one.text}`, async () => {
        results.set(one, 'failed');
        const bench = await RunnerBench.open(runner);
        try {
          await one.test(bench);
          results.set(one, 'passed');
        } finally {
          await bench.close(results.get(one) === 'failed');
        }
      });
    }
    afterAll(() => {
      const rules = new Map<string, CaseResult[]>();
      for (const [{ rule }, result] of results) rules.set(rule, [...(rules.get(rule) ?? []), result]);
      recordRules(runner, rules);
    });
  });
}
