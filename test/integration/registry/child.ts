import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { built } from '../../support/built.js';
import { eventually } from '../../support/eventually.js';

export interface Child {
  readonly pid: number;
  /** Whole lines of its stdout so far. */
  lines(): readonly string[];
  /** SIGKILL; resolves when it is gone and everything it wrote has arrived. */
  kill(): Promise<void>;
  firstLine(): Promise<string>;
}

/** Runs `children/<entry>` with a compiled module of src and the data dir as its arguments; killed after the test. */
export function child(entry: string, module: string, dataDir: string): Child {
  const script = fileURLToPath(new URL(`children/${entry}`, import.meta.url));
  const process = spawn(globalThis.process.execPath, [script, built(module), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { pid } = process;
  if (pid === undefined) throw new Error(`${entry} could not be started`);
  let text = '';
  process.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const closed = once(process, 'close');
  const lines = (): readonly string[] => text.split('\n').slice(0, -1);
  const kill = async (): Promise<void> => {
    process.kill('SIGKILL');
    await closed;
  };
  onTestFinished(kill);
  return { pid, lines, kill, firstLine: () => eventually(`${entry} speaks`, () => lines()[0], { intervalMs: 2 }) };
}
