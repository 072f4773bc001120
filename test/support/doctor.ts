import type { CheckView, DoctorView } from '../../src/desk/views.js';
import { runCli } from './cli.js';
import type { CliResult } from './cli.js';

export interface DoctorResult extends CliResult {
  readonly view: DoctorView;
  /** @throws where there is no check of that name */
  check(name: string): CheckView;
}

/** `doctor --json` of a data dir, on the process runtime unless said otherwise. */
export async function runDoctor(
  dataDir: string,
  { args = [], env = {} }: { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<DoctorResult> {
  const result = await runCli(['doctor', '--json', '--data-dir', dataDir, ...args], {
    env: { NIGHTPORTER_RUNTIME: 'process', ...env },
  });
  return readDoctor(result);
}

export function readDoctor(result: CliResult): DoctorResult {
  let view: DoctorView;
  try {
    view = JSON.parse(result.stdout) as DoctorView;
  } catch (error) {
    throw new Error(`no JSON on stdout (exit ${String(result.code)}): ${result.stdout}${result.stderr}`, {
      cause: error,
    });
  }
  const check = (name: string): CheckView => {
    const found = view.checks.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no check ${name} among ${view.checks.map((one) => one.name).join(', ')}`);
    return found;
  };
  return { ...result, view, check };
}
