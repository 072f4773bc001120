import { dirname, join } from 'node:path';
import { RUNNER_ENV } from '../../../../src/protocol/workspace.js';
import { attachmentsOf } from '../attachments.js';
import { cutAnswer } from '../cut-answer.js';
import { Leash } from '../leash.js';
import type { Log } from '../log.js';
import { plainText } from '../message-text.js';
import { runProgram } from '../program.js';
import type { Failed, Message, Outcome, Provider, Turn, TurnReport } from '../provider.js';
import type { Settings } from '../settings.js';
import { StderrReader } from '../stderr-reports.js';
import { TurnOutbox } from '../turn-outbox.js';
import type { HandOver } from '../turn-outbox.js';
import { Conversation, CUT_OFF } from './conversation.js';
import { JsonLines } from './json-lines.js';
import { judgeRun } from './judge-run.js';

/** An answer may be this large, as it stands in the file. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** All events of a run, tool results included. */
const MAX_EVENTS_BYTES = 4 * 1024 * 1024 * 1024;
/** Of the stop's grace, what is kept for the last write and the runner's own end. */
const RESERVED_MS = 2_000;
/** What could be read as an option is no session id. */
const RESUMABLE = /^[A-Za-z0-9][\x21-\x7e]*$/;

export interface ClaudeOptions extends Pick<Settings, 'workspace' | 'inbound' | 'stopGraceMs'> {
  /** The program and what goes in front of our own arguments. */
  readonly command: readonly [string, ...string[]];
  /** null: what the program itself is set to. */
  readonly model: string | null;
  readonly log: Log;
}

/**
 * The Claude Code command line, once per triggering message, in the workspace: `claude -p --output-format stream-json
 * --verbose [--model M] [--resume ID]`, the prompt on stdin. Files that it leaves in the folder NIGHTPORTER_OUTBOX go with
 * the answer.
 */
export function createClaudeProvider(options: ClaudeOptions): Provider {
  const leash = new Leash(options.log);
  return {
    name: 'claude',
    claimsPerTurn: 1,
    resumes: 'own_ids',
    run: async (turn, report, stop) => {
      const outbox = await TurnOutbox.open(options.workspace, options.log);
      try {
        return await run({ options, leash, outbox, turn, report, stop });
      } finally {
        await outbox.remove();
      }
    },
  };
}

interface Call {
  readonly options: ClaudeOptions;
  readonly leash: Leash;
  readonly outbox: TurnOutbox;
  readonly turn: Turn;
  readonly report: TurnReport;
  readonly stop: AbortSignal;
}

async function run({ options, leash, outbox, turn, report, stop }: Call): Promise<Outcome> {
  const resume = turn.resume !== null && RESUMABLE.test(turn.resume) ? turn.resume : null;
  const conversation = new Conversation(report);
  const lines = new JsonLines((event) => {
    conversation.take(event);
  });
  const stderr = new StderrReader(() => undefined);
  const { end, outlivedGrace } = await runProgram({
    command: commandOf(options, resume),
    cwd: options.workspace,
    env: { ...process.env, [RUNNER_ENV.outbox]: outbox.path },
    stdin: promptOf(turn.messages, options.inbound),
    maxStdoutBytes: MAX_EVENTS_BYTES,
    onStdout: (chunk) => {
      lines.push(chunk);
    },
    graceMs: Math.max(0, options.stopGraceMs - RESERVED_MS),
    stop,
    leash,
    onStderr: (chunk) => {
      process.stderr.write(chunk);
      stderr.push(chunk);
    },
    onOutput: () => {
      report.progress();
    },
  });
  lines.end();
  const { usage } = conversation;
  const facts = { program: options.command[0], resumed: resume !== null };
  const failed = judgeRun(conversation, end, stderr.end().tail, facts);
  const text = answerIn(conversation);
  if (stop.aborted && (outlivedGrace || failed !== undefined || text === '')) return { kind: 'unfinished', usage };
  if (failed !== undefined) return { ...failed, ...producedBy(conversation, failed, turn), usage };
  if (Buffer.byteLength(JSON.stringify({ text })) > MAX_ANSWER_BYTES) return { ...TOO_LARGE, usage };
  return { ...completed(turn, text, await outbox.handOver()), usage, ...sessionOf(conversation, resume) };
}

const TOO_LARGE: Failed = {
  kind: 'failed',
  errorClass: 'fatal',
  error: `the answer is larger than ${String(MAX_ANSWER_BYTES)} bytes`,
  retryAtMs: null,
};

function commandOf({ command, model }: ClaudeOptions, resume: string | null): readonly [string, ...string[]] {
  const [program, ...front] = command;
  const own = ['-p', '--output-format', 'stream-json', '--verbose'];
  const chosen = model === null ? [] : ['--model', model];
  return [program, ...front, ...own, ...chosen, ...(resume === null ? [] : ['--resume', resume])];
}

/** The texts of the messages, and where the files are that came with them. */
function promptOf(messages: readonly Message[], inbound: string): string {
  return messages.map((message) => withFiles(message.content, inbound)).join('\n\n');
}

function withFiles(content: string, inbound: string): string {
  const { text, value } = plainText(content);
  const paths = attachmentsOf(value).map(({ path }) => `[attached file: ${join(dirname(inbound), path)}]`);
  return [text, ...paths].filter((line) => line !== '').join('\n');
}

function answerIn(conversation: Conversation): string {
  if (conversation.isCutOff) return cutAnswer(conversation.said, CUT_OFF);
  // A success with an empty result happens where the last message has the answer.
  return (conversation.result?.text ?? '').trim() || conversation.lastText;
}

/** Of a context that became too long in the middle of the work. */
function producedBy(conversation: Conversation, failed: Failed, turn: Turn): Pick<Failed, 'answers'> {
  const to = answered(turn);
  const text = conversation.said;
  if (failed.errorClass !== 'context_overflow' || to === undefined || text === '') return {};
  return { answers: [{ to, text }] };
}

function completed(turn: Turn, text: string, files: HandOver): Outcome {
  if (files.kind === 'failed') {
    const error = `the files in ${RUNNER_ENV.outbox} could not be handed over (${files.reason})`;
    return { kind: 'failed', errorClass: 'retryable', error, retryAtMs: null };
  }
  const to = answered(turn);
  const isNothing = to === undefined || (text === '' && files.kind === 'empty');
  const id = files.kind === 'given' ? { id: files.id } : {};
  return { kind: 'completed', answers: isNothing ? [] : [{ to, text, ...id }], providerSession: null };
}

function answered(turn: Turn): Message | undefined {
  return turn.messages.findLast(({ trigger }) => trigger);
}

function sessionOf(conversation: Conversation, resume: string | null): { readonly providerSession: string | null } {
  return { providerSession: conversation.sessionId ?? resume };
}
