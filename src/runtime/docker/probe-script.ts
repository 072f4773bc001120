import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CONTAINER_IN, CONTAINER_WORKSPACE } from '../../protocol/workspace.js';

/** In the session's `in/`, made by the host; copied to its `out/` by the probe. */
export const PROBE_FILE = 'nightporter-probe';
/** Begins the one line in which the probe tells what it tried. */
export const PROBE_LINE = 'nightporter-probe ';

/** What probe-program.ts is given as its only argument, as JSON. */
export interface ProbeOrder {
  readonly inDir: string;
  readonly outDir: string;
  readonly file: string;
  readonly line: string;
  /** What the host wrote to `file` in `in/`. */
  readonly token: string;
  readonly user: { readonly uid: number; readonly gid: number };
  /** Run in the end, its exit code is the probe's; empty: none. */
  readonly program: readonly string[];
}

/** The command of a probe's container: the compiled program travels as text, the image need not have it. */
export async function probeCommand(
  root: string,
  order: Pick<ProbeOrder, 'token' | 'user' | 'program'>,
): Promise<readonly string[]> {
  const program = await readFile(join(root, 'dist/src/runtime/docker/probe-program.js'), 'utf8');
  const whole: ProbeOrder = {
    ...order,
    inDir: CONTAINER_IN,
    outDir: CONTAINER_WORKSPACE,
    file: PROBE_FILE,
    line: PROBE_LINE,
  };
  return ['node', '--input-type=module', '-e', program, JSON.stringify(whole)];
}
