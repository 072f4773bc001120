import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.js';

export interface LoopTimes {
  readonly ticks: number;
  /** Between two turns of the loop, the machine's own delays included. */
  readonly longestGapMs: number;
  /** Without the time for which the kernel had the process wait for a processor. */
  readonly longestBlockMs: number;
  /** Of the longest block: the rest was spent waiting, for the disk as a rule. */
  readonly runningOfItMs: number;
  /** Most that the thread itself ran between two turns of the loop, whatever it waited for besides. */
  readonly longestRunMs: number;
  /** In starts of other processes, between two turns of the loop. */
  readonly longestSpawnMs: number;
}

/** Measures the event loop of a daemon that is started with `env`. */
export class LoopProbe {
  readonly #folder = mkdtempSync(join(tmpdir(), 'np-loop-'));
  readonly #file = join(this.#folder, 'seen.json');
  readonly env: Readonly<Record<string, string>> = {
    NODE_OPTIONS: `--import=${fileURLToPath(new URL('./loop-probe.mjs', import.meta.url))}`,
    NP_LOOP_PROBE: this.#file,
  };

  /** What was seen since the last call. */
  async read(pid: number): Promise<LoopTimes> {
    rmSync(this.#file, { force: true });
    process.kill(pid, 'SIGUSR2');
    await eventually('the probe answers', () => existsSync(this.#file), { timeoutMs: 30_000 });
    return JSON.parse(readFileSync(this.#file, 'utf8')) as LoopTimes;
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
