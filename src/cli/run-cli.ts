import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { describeError } from '../desk/describe-error.js';
import type { ErrorCode } from '../protocol/errors.js';
import { plain } from '../protocol/plain-text.js';
import type { Cli } from './command.js';
import { commonOptionsOf } from './command.js';
import type { CommandContext, Output } from './context.js';
import type { Host } from './host.js';
import { createProgram, HelpShown } from './program.js';

const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  failed: 1,
  usage: 2,
  not_found: 3,
  unavailable: 4,
  refused: 5,
};

export interface CliOptions {
  /** Without node and the script. */
  readonly argv: readonly string[];
  readonly version: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Absolute path from --data-dir, environment and defaults. @throws NightporterError `usage` */
  readonly dataDirOf: (flag: string | undefined) => string;
  readonly host: () => Promise<Host>;
  /** Begins to catch what should end a command that goes on and on, and tells of it. */
  readonly interruptions: () => AbortSignal;
}

/** Runs one command line; resolves with the exit code once all output is written. Never rejects. */
export async function runCli(options: CliOptions): Promise<number> {
  const { stdout, stderr } = options;
  const readerGone = new AbortController();
  stdout.on('error', () => {
    // `nightporter ... | head`: who read enough is no error.
    readerGone.abort();
  });
  const output = outputOn(options, readerGone.signal);
  let exitCode = 0;
  const cli: Cli = {
    run: async (command, body) => {
      const common = commonOptionsOf(command);
      const context: CommandContext = {
        dataDir: options.dataDirOf(common.dataDir),
        configFile: common.config,
        json: common.json === true,
        output,
        readerGone: readerGone.signal,
        interruptions: options.interruptions,
        input: options.stdin,
        isTerminal: options.stdin.isTTY === true,
        host: options.host,
      };
      exitCode = (await body(context)) ?? 0;
    },
  };
  try {
    await createProgram(cli, options.version).parseAsync([...options.argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof HelpShown) {
      (error.asked ? stdout : stderr).write(error.text);
      return error.asked ? 0 : EXIT_CODES.usage;
    }
    if (readerGone.signal.aborted) return 0;
    const { code, message } = describeError(error);
    output.warn(message);
    return EXIT_CODES[code];
  }
}

function outputOn({ stdout, stderr }: CliOptions, gone: AbortSignal): Output {
  return {
    async write(text) {
      if (gone.aborted || text === '') return;
      if (stdout.write(text)) return;
      await once(stdout, 'drain', { signal: gone }).catch(() => undefined);
    },
    warn(text) {
      stderr.write(`nightporter: ${plain(text)}\n`);
    },
    progress(text) {
      if (stderr.isTTY === true) stderr.write(`\r\u001b[K${text}`);
      else if (text !== '') stderr.write(`${text}\n`);
    },
    isWatched: stderr.isTTY === true,
    columns: stdout.columns ?? 80,
  };
}
