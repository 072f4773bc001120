import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeRunner, RULE_CASES } from '../../suites/runner-conformance.js';
import { isWholeSuite } from '../../support/whole-suite.js';
import { nanoclawRunner, ourRunner, pythonRunner, whyNoPython } from '../../support/runners.js';

describeRunner(ourRunner());
// A usual run meets it in the scenarios of foreign runners.
if (isWholeSuite) describeRunner(nanoclawRunner());
else
  describe.skip('nanoclaw-v2 as a runner (skipped: NIGHTPORTER_WHOLE_SUITE=1 runs it)', () => {
    it.todo('is a runner');
  });

const whyNot = whyNoPython();
if (whyNot === undefined) describeRunner(pythonRunner());
else
  describe.skip(`python as a runner (skipped: ${whyNot})`, () => {
    it.todo('is a runner');
  });

it('has a case for every rule of docs/protocol.md, and none that is not there', () => {
  const page = readFileSync(fileURLToPath(new URL('../../../docs/protocol.md', import.meta.url)), 'utf8');
  const rules = [...page.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)].map(([, rule]) => rule);
  expect([...new Set(RULE_CASES.map(({ rule }) => rule))].sort()).toEqual(rules.sort());
});
