import type { DeadLetterView, DeadMessageView, RetriedLetterView, TurnEndView } from '../../desk/views.js';
import { oneLine, plain } from '../../protocol/plain-text.js';
import { shortTime } from './columns.js';

const LAST_LINES = 10;

export function deadLine(view: DeadLetterView): string {
  const { session, id, tries, errorClass, error, finishedAt, purgedAt, replayRequestedAt } = view;
  const why = [errorClass, error].filter((text) => text !== null).join(': ');
  const notes = [purgedAt !== null && 'purged', replayRequestedAt !== null && 'to be tried again'].filter(Boolean);
  const note = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
  return (
    `${shortTime(finishedAt).padEnd(20)} ${session} ${oneLine(id)} tries ${tries}${note} ${oneLine(why)}`.trimEnd() +
    '\n'
  );
}

export function deadMessageText(view: DeadMessageView): string {
  const facts: readonly (readonly [string, string])[] = [
    ['message', `${oneLine(view.id)} of ${view.session}, ${oneLine(view.kind)}`],
    ['status', statusOf(view)],
    ...(view.reason === null ? [] : [['reason', oneLine(view.reason)] as const]),
    ...(view.error === null ? [] : [['error', indented(view.error)] as const]),
    ['sent', shortTime(view.timestamp)],
    ...(view.series === null ? [] : [['series', `${oneLine(view.series)}, ${shortTime(view.occurrence)}`] as const]),
    ['content', indented(contentOf(view))],
  ];
  const lines = facts.map(([name, text]) => `${name.padEnd(9)}${text}\n`);
  const ends = view.ends.map((end, index) => endText(end, view.ends[index + 1]?.epoch !== end.epoch));
  const can = view.can.length === 0 ? [] : ['\n', ...view.can.map((line) => `  ${line}\n`)];
  return [...lines, ...ends.map((text) => `\n${text}`), ...can].join('');
}

function statusOf({ status, finishedAt, tries, attempt, purgedAt, replayRequestedAt }: DeadMessageView): string {
  return [
    `${status}${finishedAt === null ? '' : ` since ${shortTime(finishedAt)}`}`,
    `tries ${tries}`,
    `attempt ${attempt}`,
    ...(purgedAt === null ? [] : [`purged ${shortTime(purgedAt)}`]),
    ...(replayRequestedAt === null ? [] : [`to be tried again since ${shortTime(replayRequestedAt)}`]),
  ].join(', ');
}

/** `isLast`: of its incarnation, whose output is shown once. */
function endText(end: TurnEndView, isLast: boolean): string {
  const how = [
    ...(end.running ? ['its container goes on'] : []),
    ...(end.exitCode === null ? [] : [`exit code ${end.exitCode}`]),
    ...(end.signal === null ? [] : [end.signal]),
    ...(end.oomKilled ? ['out of memory'] : []),
    ...(end.stopReason === null ? [] : [`stopped as ${end.stopReason}`]),
  ];
  const run = `run ${end.epoch}${how.length === 0 ? '' : ` (${how.join(', ')})`}`;
  const head = `attempt ${end.attempt}  ${shortTime(end.endedAt)}  ${end.outcome}, ${oneLine(end.reason)}; ${run}\n`;
  const error = end.error === null ? '' : `  error: ${indented(end.error)}\n`;
  const output = plain(end.lastOutput ?? '').trimEnd();
  if (!isLast || output === '') return head + error;
  const lines = output.split('\n').slice(-LAST_LINES);
  return `${head}${error}  last output:\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

function contentOf({ content, truncated }: DeadMessageView): string {
  const isText = typeof content === 'object' && content !== null && 'text' in content;
  const text = isText && typeof content.text === 'string' ? content.text : JSON.stringify(content);
  return truncated === true ? `${text} (cut)` : text;
}

function indented(text: string): string {
  return plain(text).trimEnd().replaceAll('\n', '\n         ');
}

export function retriedLine(verb: string, { session, id, attempt, waits }: RetriedLetterView): string {
  const why = waits === null ? '' : `; ${explainWait(session, waits)}`;
  return `${verb} ${session} ${oneLine(id)}, attempt ${attempt}${why}\n`;
}

/** What has to happen before its session is woken for it. */
export function explainWait(session: string, waits: NonNullable<RetriedLetterView['waits']>): string {
  switch (waits) {
    case 'quarantined':
      return `${session} is quarantined, it waits for "nightporter session release ${session}"`;
    case 'held':
      return `${session} is held, it waits for the next probe or "nightporter session release ${session}"`;
    case 'suspended':
      return `${session} is suspended, it waits for "nightporter session resume ${session}"`;
    case 'draining':
      return 'the daemon is draining, it waits for the next "nightporter start"';
    case 'no_daemon':
      return 'no daemon runs, it waits for "nightporter start"';
  }
}
