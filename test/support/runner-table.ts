import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunnerUnderTest } from './runner-bench.js';

export type CaseResult = 'passed' | 'failed' | 'not applicable';
/** `in part`: some cases passed, the others do not apply. */
type RuleResult = CaseResult | 'in part';

interface Column {
  readonly runner: string;
  readonly runtime: string;
  readonly rules: Readonly<Record<string, RuleResult>>;
}

const REPORT = fileURLToPath(new URL('../../reports/runner-suite.json', import.meta.url));
const SHORT: Readonly<Record<RuleResult, string>> = {
  passed: 'ok',
  failed: 'FAILED',
  'not applicable': 'n/a',
  'in part': 'in part',
};

/** Adds what one runner did to the report, and prints the table of all. */
export function recordRules(runner: RunnerUnderTest, results: ReadonlyMap<string, readonly CaseResult[]>): void {
  const { name, runtime } = runner;
  const known = readColumns();
  const isOwn = (one: Column): boolean => one.runner === name && one.runtime === runtime;
  // Where only some cases were run, the others keep what they had.
  const rules = {
    ...known.find(isOwn)?.rules,
    ...Object.fromEntries([...results].map(([rule, cases]) => [rule, together(cases)])),
  };
  const columns = [...known.filter((one) => !isOwn(one)), { runner: name, runtime, rules }].sort((a, b) =>
    nameOf(a) < nameOf(b) ? -1 : 1,
  );
  mkdirSync(dirname(REPORT), { recursive: true });
  writeFileSync(REPORT, `${JSON.stringify(columns, undefined, 2)}\n`);
  process.stderr.write(`${tableOf(columns)}\n`);
}

function together(cases: readonly CaseResult[]): RuleResult {
  if (cases.includes('failed')) return 'failed';
  const [first] = cases;
  return first !== undefined && cases.every((one) => one === first) ? first : 'in part';
}

function readColumns(): readonly Column[] {
  return existsSync(REPORT) ? (JSON.parse(readFileSync(REPORT, 'utf8')) as readonly Column[]) : [];
}

function nameOf({ runner, runtime }: Column): string {
  return `${runner}, ${runtime}`;
}

function tableOf(columns: readonly Column[]): string {
  const rules = [...new Set(columns.flatMap((column) => Object.keys(column.rules)))].sort(byNumber);
  const head = ['rule', ...columns.map(nameOf)];
  const rows = rules.map((rule) => [
    rule,
    ...columns.map((column) => {
      const result = column.rules[rule];
      return result === undefined ? '-' : SHORT[result];
    }),
  ]);
  return [head, ...rows]
    .map((row) => row.map((cell, index) => cell.padEnd(head[index]?.length ?? 0)).join('  '))
    .join('\n');
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
