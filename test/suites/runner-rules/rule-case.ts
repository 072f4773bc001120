import type { RunnerBench } from '../../support/runner-bench.js';

export interface RuleCase {
  /** Its id in docs/protocol.md. */
  readonly rule: string;
  /** A sentence about the runner. */
  readonly text: string;
  /** `attempts`: a runner that knows only the columns of NanoClaw v2 cannot know this. */
  readonly takes: 'nothing' | 'attempts';
  readonly test: (bench: RunnerBench) => Promise<void>;
}

/** Adds a line to `started`, waits for as long as there is a file `hold` (and its folder), then answers `done`. */
export const HELD = 'echo $$ >> started; while [ -e hold ]; do sleep 0.05; done; echo done';

export function minutesAgo(minutes: number): number {
  return Date.now() - minutes * 60_000;
}

/** `YYYY-MM-DD HH:MM:SS`, in UTC. */
export function sqlTime(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(0, 19).replace('T', ' ');
}

export function nothingElse<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
