import { existsSync } from 'node:fs';
import { MAIN } from './api.mjs';
import { whyNoEngine } from './engine.mjs';
import { whyNoDisk } from './ground.mjs';
import { readOptions, USAGE } from './options.mjs';
import { summaryOf, writeReport } from './report.mjs';
import { runChaos } from './run.mjs';

/** Exit codes: 0 all is well, 1 something was wrong, 2 usage, 3 this machine cannot do it. */
process.exitCode = await main();

async function main() {
  let options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    say(`chaos: ${error.message}\n${USAGE}`);
    return 2;
  }
  const missing = whyNoDisk() ?? (options.runtime === 'docker' ? whyNoEngine() : undefined) ?? whyNotBuilt();
  if (missing !== undefined) {
    say(`chaos: ${missing}`);
    return 3;
  }
  say(`chaos, ${options.runtime} runtime, ${String(options.minutes)} min, seed ${String(options.seed)}`);
  const report = await runChaos(options, say);
  const file = writeReport(report);
  process.stdout.write(`${summaryOf(report)}\n`);
  say(`report: ${file}`);
  if (report.kept !== null) say(`kept: ${report.kept}`);
  return report.ok ? 0 : 1;
}

function whyNotBuilt() {
  return existsSync(MAIN) ? undefined : 'dist is missing: run "npm run build"';
}

function say(text) {
  process.stderr.write(`${text}\n`);
}
