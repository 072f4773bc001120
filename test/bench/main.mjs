import { cpus } from 'node:os';
import { benchFiles } from './files.mjs';
import { benchIdle } from './idle.mjs';
import { benchList } from './list.mjs';
import { print } from './report.mjs';
import { benchWakes } from './wake.mjs';

/** No test: figures and ratios of one run, nothing passes or fails by them. */
const PARTS = {
  files: benchFiles,
  idle: benchIdle,
  list: benchList,
  process: () => benchWakes('process'),
  docker: () => benchWakes('docker'),
};

const asked = process.argv.slice(2);
const unknown = asked.find((name) => PARTS[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(`bench: no part ${unknown}; there are ${Object.keys(PARTS).join(', ')}\n`);
  process.exit(2);
}
print(`Node ${process.version}, ${String(cpus().length)} x ${cpus()[0]?.model ?? 'unknown'}`);
for (const name of asked.length > 0 ? asked : Object.keys(PARTS)) await PARTS[name]();
