import { afterAll, describe, it } from 'vitest';
import { RunnerBench } from '../support/runner-bench.js';
import type { RunnerUnderTest } from '../support/runner-bench.js';
import { CLAIMING } from './runner-rules/claiming.js';
import { ENDING } from './runner-rules/ending.js';
import { LIVING } from './runner-rules/living.js';
import { STARTING } from './runner-rules/starting.js';
import { TURNS } from './runner-rules/turns.js';
import type { RuleCase } from './runner-rules/rule-case.js';
import { recordRules, type RuleResult } from '../support/runner-table.js';

/** One or more cases of each rule of docs/protocol.md, by its id. */
export const RULE_CASES: readonly RuleCase[] = [...STARTING, ...CLAIMING, ...TURNS, ...LIVING, ...ENDING];

/**
 * What docs/protocol.md asks of a runner, asked of this one: through its files, its heartbeat and its exit code alone.
 * Prints a table of rules and runners at the end, and keeps it in reports/runner-suite.json.
 */
export function describeRunner(runner: RunnerUnderTest): void {
  describe(`${runner.name} as a runner, ${runner.runtime} runtime`, () => {
    const results = new Map<string, RuleResult>();
    for (const { rule, text, takes, test } of RULE_CASES) {
      if (takes === 'attempts' && runner.knows === 'nanoclaw_v2') {
        if (!results.has(rule)) results.set(rule, 'not applicable');
        continue;
      }
      it(`${rule}: ${text}`, async () => {
        const bench = await RunnerBench.open(runner);
        let passed = false;
        try {
          await test(bench);
          passed = true;
        } finally {
          results.set(rule, passed && results.get(rule) !== 'failed' ? 'passed' : 'failed');
          await bench.close(!passed);
        }
      });
    }
    afterAll(() => {
      recordRules(runner, results);
    });
  });
}
