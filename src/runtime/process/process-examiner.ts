import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import type { ProbeReport, RuntimeCondition, RuntimeExaminer } from '../../ports/examination.js';
import type { ContainerSpec } from '../../ports/runtime.js';
import { NightporterError, RuntimeUnavailable } from '../../protocol/errors.js';
import { currentBootId } from './process-identity.js';

export interface ProcessExaminerOptions {
  readonly nodePath: string;
  readonly shimEntry: string;
  readonly runnerEntry: string;
  /** For the life of a probe. */
  readonly probeMs: number;
}

const OUTPUT_KEPT_CHARS = 4096;

/** Looks at what the process runtime needs, and runs its runner once as a child of this process. */
export class ProcessExaminer implements RuntimeExaminer {
  readonly #options: ProcessExaminerOptions;

  constructor(options: ProcessExaminerOptions) {
    this.#options = options;
  }

  async describe(): Promise<RuntimeCondition> {
    await currentBootId().catch((error: unknown) => {
      throw new RuntimeUnavailable('processes cannot be told apart: there is no /proc to read', { cause: error });
    });
    const { nodePath, shimEntry, runnerEntry } = this.#options;
    const description = 'plain processes of this machine, not isolated from it or from each other';
    for (const path of [nodePath, shimEntry, runnerEntry]) {
      if (!(await isReadable(path))) return { description, runner: { kind: 'missing', what: `${path} is missing` } };
    }
    return { description, runner: { kind: 'ready', what: runnerEntry } };
  }

  probe(spec: ContainerSpec): Promise<ProbeReport> {
    if (spec.image !== undefined || spec.command !== undefined) {
      throw new NightporterError('refused', 'the process runtime runs nothing but the runner');
    }
    const { nodePath, runnerEntry, probeMs } = this.#options;
    return new Promise((resolve, reject) => {
      const child = spawn(nodePath, [runnerEntry], {
        cwd: spec.outDir,
        env: { ...spec.environment },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(-OUTPUT_KEPT_CHARS)));
      }
      const late = setTimeout(() => child.kill('SIGKILL'), probeMs);
      child.once('error', (error) => {
        clearTimeout(late);
        reject(new NightporterError('refused', `cannot start ${nodePath}: ${error.message}`, { cause: error }));
      });
      child.once('close', (exitCode) => {
        clearTimeout(late);
        resolve({ tried: [], ranRunner: true, exitCode, output: output.trim() });
      });
    });
  }

  /** A runner that its doctor left behind ends by itself: it has nothing to do. */
  removeLeftovers(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): void {
    // Nothing is kept open.
  }
}

async function isReadable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
