#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runCli } from './cli/run-cli.js';
import { dataDirFrom } from './config/data-dir.js';

const exitCode = await runCli({
  argv: process.argv.slice(2),
  version: packageVersion(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  dataDirOf: (flag) => dataDirFrom({ flag, env: process.env, uid: process.getuid?.() }),
  // Databases, engines and servers are loaded only by commands that need them.
  host: async () => (await import('./daemon.js')).createHost(),
  interruptions,
});

// Written output first: a pipe may be slow. Then leave, whatever is still open (a daemon that hangs, a stuck input).
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit(exitCode);

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

function interruptions(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted.abort();
    });
  }
  return interrupted.signal;
}
