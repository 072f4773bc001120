// Ends scripts/test: names what was skipped and what failed; the last line counts. Exit code 1 if anything failed.
// Arguments: vitest's JSON reports (by commas), its exit code, the checks before the tests that failed.
import { existsSync, readFileSync } from 'node:fs';

const [reportPaths, exitCode, ...failedChecks] = process.argv.slice(2);
const files = reportPaths
  .split(',')
  .flatMap((path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).testResults : []));

const passed = [];
const failed = [];
const skipped = [];
for (const file of files) {
  // A file that could not be loaded has no tests, and counts as one that failed.
  if (file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'))
    failed.push(file.name);
  for (const { status, fullName } of file.assertionResults) {
    if (status === 'passed') passed.push(fullName);
    else (status === 'failed' ? failed : skipped).push(fullName);
  }
}
if (exitCode !== '0' && failed.length === 0) failed.push('vitest itself (coverage, or an error outside of the tests)');
failed.unshift(...failedChecks.map((name) => `check: ${name}`));

const list = (title, names) => {
  if (names.length > 0) console.log(`\n${title}:\n${names.map((name) => `  ${name}`).join('\n')}`);
};
list('Skipped', skipped);
list('Failed', failed);
console.log(`\n${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
process.exitCode = failed.length > 0 ? 1 : 0;
