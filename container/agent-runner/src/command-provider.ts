import { PROTOCOL_VERSION } from '../../../src/protocol/schema.js';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { withPaths } from './attachments.js';
import { Leash } from './leash.js';
import type { Log } from './log.js';
import { runProgram } from './program.js';
import type { Message, Outcome, Provider, Turn, TurnReport } from './provider.js';
import type { Settings } from './settings.js';
import { StderrReader } from './stderr-reports.js';
import { TurnOutbox } from './turn-outbox.js';
import { judgeFailure } from './verdict.js';

/** An answer may be this large, as it stands in the file. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Of the stop's grace, what is kept for the last write and the runner's own end. */
const RESERVED_MS = 2_000;
const RESUME_ENV = 'NIGHTPORTER_RESUME';

export interface CommandOptions extends Pick<Settings, 'workspace' | 'inbound' | 'session' | 'epoch' | 'stopGraceMs'> {
  /** Program and arguments, run without a shell. */
  readonly command: readonly [string, ...string[]];
  readonly log: Log;
}

/**
 * Any program as the agent. It is run once per triggering message (with the context rows before it), in the workspace, with
 * the runner's environment and NIGHTPORTER_RESUME (unset if there is no id). Its stdin is one JSON document:
 *
 *     {"protocol": 1, "session": "group/name", "incarnation": 7, "resume": "id or null", "messages": [{"id", "seq", "kind",
 *      "timestamp", "content" (parsed; a string if it is no JSON), "attempt", "tries", "trigger", "platform_id",
 *      "channel_type", "thread_id"}]}
 *
 * A content's `attachments` have absolute paths (`path`). Files that it leaves in the folder NIGHTPORTER_OUTBOX, which is new
 * for each turn, go with the answer of a turn that succeeds.
 *
 * What it prints on stdout is the answer: UTF-8 (what is not becomes U+FFFD), at most 16 MiB, line breaks at the end cut.
 * Exit code 0 without output completes the message without an answer. Other ends: see `judgeFailure`; what it may say on
 * stderr: see `StderrReader`. On TERM it has the stop's grace less 2 s to finish; if it does not end with exit code 0 and an
 * answer, the message is released and given to the next incarnation.
 */
export function createCommandProvider(options: CommandOptions): Provider {
  const leash = new Leash(options.log);
  return {
    name: 'command',
    claimsPerTurn: 1,
    resumes: 'own_ids',
    run: (turn, report, stop) => run(options, leash, turn, report, stop),
  };
}

async function run(
  options: CommandOptions,
  leash: Leash,
  turn: Turn,
  report: TurnReport,
  stop: AbortSignal,
): Promise<Outcome> {
  const outbox = await TurnOutbox.open(options.workspace, options.log);
  try {
    return await runWith(outbox, options, leash, turn, report, stop);
  } finally {
    await outbox.remove();
  }
}

async function runWith(
  outbox: TurnOutbox,
  options: CommandOptions,
  leash: Leash,
  turn: Turn,
  report: TurnReport,
  stop: AbortSignal,
): Promise<Outcome> {
  const reader = new StderrReader(({ tool }) => {
    if (tool !== undefined) report.tool(tool?.name ?? null, tool?.timeoutMs ?? null);
  });
  const { end, stdout, outlivedGrace } = await runProgram({
    command: options.command,
    cwd: options.workspace,
    env: { ...process.env, [RESUME_ENV]: turn.resume ?? undefined, [RUNNER_ENV.outbox]: outbox.path },
    stdin: `${JSON.stringify(inputOf(options, turn))}\n`,
    maxStdoutBytes: MAX_ANSWER_BYTES,
    graceMs: Math.max(0, options.stopGraceMs - RESERVED_MS),
    stop,
    leash,
    onStderr: (chunk) => {
      // Its answer is on stdout; what it complains of is what operators look for in `logs`.
      process.stderr.write(chunk);
      reader.push(chunk);
    },
    onOutput: () => {
      report.progress();
    },
  });
  const said = reader.end();
  const failed = judgeFailure(end, said, options.command[0]);
  const text = stdout.toString('utf8').replace(/[\r\n]+$/, '');
  // A program that was told to stop and says nothing has not done its work, whatever its exit code.
  if (stop.aborted && (outlivedGrace || failed !== undefined || text === '')) return { kind: 'unfinished' };
  if (failed !== undefined) return failed;
  if (Buffer.byteLength(JSON.stringify({ text })) > MAX_ANSWER_BYTES) {
    const tooMuch = judgeFailure({ kind: 'too_much_output', maxBytes: MAX_ANSWER_BYTES }, said, options.command[0]);
    if (tooMuch !== undefined) return tooMuch;
  }
  const message = turn.messages.findLast(({ trigger }) => trigger);
  const files = await outbox.handOver();
  if (files.kind === 'failed') {
    const error = `the files in ${RUNNER_ENV.outbox} could not be handed over (${files.reason})`;
    return { kind: 'failed', errorClass: 'retryable', error, retryAtMs: null };
  }
  const id = files.kind === 'given' ? { id: files.id } : {};
  const isNothing = text === '' && files.kind === 'empty';
  return {
    kind: 'completed',
    answers: isNothing || message === undefined ? [] : [{ to: message, text, ...id }],
    providerSession: said.report.providerSession ?? turn.resume,
  };
}

function inputOf(options: CommandOptions, turn: Turn): unknown {
  return {
    protocol: PROTOCOL_VERSION,
    session: options.session,
    incarnation: options.epoch,
    resume: turn.resume,
    messages: turn.messages.map((message) => ({
      id: message.id,
      seq: message.seq,
      kind: message.kind,
      timestamp: message.timestamp,
      content: withPaths(contentOf(message), options.inbound),
      attempt: message.attempt,
      tries: message.tries,
      trigger: message.trigger,
      platform_id: message.platformId,
      channel_type: message.channelType,
      thread_id: message.threadId,
    })),
  };
}

function contentOf(message: Message): unknown {
  try {
    return JSON.parse(message.content);
  } catch {
    // Not JSON: the text itself.
    return message.content;
  }
}
