// A daemon as far as the process runtime can tell: starts one container, says so, and waits to be killed.
import { pathToFileURL } from 'node:url';

const { runtimeFile, options, spec } = JSON.parse(process.argv[2] ?? '');
const { ProcessRuntime } = await import(pathToFileURL(runtimeFile).href);
const runtime = new ProcessRuntime({ ...options, log: console });
const result = await runtime.start(spec);
console.log(JSON.stringify(result));
setInterval(() => undefined, 60_000);
