import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { built } from './built.js';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  readonly result: Promise<CliResult>;
  /** Standard output so far. */
  stdout(): string;
  stderr(): string;
}

/** Starts the compiled command line as its users do. */
export function startCli(
  args: readonly string[],
  { input, env = {} }: { readonly input?: string | Uint8Array; readonly env?: Readonly<Record<string, string>> } = {},
): RunningCli {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('NIGHTPORTER_'));
  const child = spawn(process.execPath, [built('src/main.js'), ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A command that refuses early does not read its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const result = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
  return { child, result, stdout: () => stdout, stderr: () => stderr };
}

export function runCli(...args: Parameters<typeof startCli>): Promise<CliResult> {
  return startCli(...args).result;
}
