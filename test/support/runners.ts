import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RUNNER_ENV } from '../../src/protocol/workspace.js';
import { built } from './built.js';
import type { RunnerEnd, RunnerUnderTest } from './runner-bench.js';

export const NANOCLAW_RUNNER = fileURLToPath(new URL('./nanoclaw-runner.mjs', import.meta.url));
export const PYTHON_RUNNER = fileURLToPath(new URL('../../examples/python-runner/runner.py', import.meta.url));

/** Programs of this machine, started as the process runtime starts them. */
function processRunner(
  name: string,
  knows: RunnerUnderTest['knows'],
  [program, ...args]: readonly [string, ...string[]],
): RunnerUnderTest {
  return {
    name,
    runtime: 'process',
    knows,
    launch: (paths, env) => {
      const child = spawn(program, args, {
        cwd: paths.out,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          HOME: paths.out,
          ...env,
          [RUNNER_ENV.workspace]: paths.out,
          [RUNNER_ENV.inbound]: paths.inbound,
        },
      });
      const { pid } = child;
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => (output += text));
      }
      const exited = new Promise<RunnerEnd>((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code, signal) => {
          // As its container would: nothing of it stays.
          if (pid !== undefined) killGroup(pid);
          resolve({ code, signal });
        });
      });
      return Promise.resolve({
        exited,
        signal: (signal) => {
          child.kill(signal);
          return Promise.resolve();
        },
        output: () => Promise.resolve(output),
      });
    },
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left of it.
  }
}

export function ourRunner(): RunnerUnderTest {
  return processRunner('ours', 'attempts', [process.execPath, built('container/agent-runner/src/main.js')]);
}

export function nanoclawRunner(): RunnerUnderTest {
  return processRunner('nanoclaw-v2', 'nanoclaw_v2', [process.execPath, NANOCLAW_RUNNER]);
}

export function pythonRunner(): RunnerUnderTest {
  return processRunner('python', 'attempts', ['python3', PYTHON_RUNNER]);
}

/** Why the Python runner cannot be tried; undefined: it can. */
export function whyNoPython(): string | undefined {
  if (spawnSync('python3', ['-c', 'import sqlite3']).status !== 0) return 'no python3 with sqlite3 on this machine';
  return undefined;
}
