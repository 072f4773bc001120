import type { LastSweepView, NoticeView, StatusView } from '../../desk/views.js';
import { oneLine } from '../../protocol/plain-text.js';
import { cut, shortTime } from './columns.js';

/** What needs attention first, then how things stand. */
export function statusText(view: StatusView, { columns, nowMs }: { columns: number; nowMs: number }): string {
  const { runtime, sessions, messages, daemon } = view;
  const running = daemon.running ? `running (process ${String(daemon.pid)})` : 'not running: "nightporter start"';
  const attention = [...attentionOf(view), ...view.notices.map(noticeLine)];
  const lines = [
    ...(attention.length === 0 ? ['nothing needs attention', ''] : ['needs attention:', ...attention.map(bullet), '']),
    row('daemon', `${running}${view.draining ? ', draining' : ''}`),
    row('runtime', `${runtime.kind ?? 'none yet'}, ${runtime.state} (${oneLine(runtime.description)})`),
    row(
      'sessions',
      `${sessions.active} active, ${sessions.suspended} suspended, ${sessions.closed} closed; ` +
        `${sessions.held} held, ${sessions.quarantined} quarantined`,
    ),
    row(
      'messages',
      `${messages.spooled} spooled, ${messages.pending} pending, ${messages.processing} processing, ` +
        `${messages.completed} completed, ${messages.failed} failed, ${messages.paused} paused`,
    ),
    row('containers', `${view.containers.running} running; ${view.waiting} sessions wait for room`),
    row('last round', view.lastSweep === null ? 'none yet' : sweepLine(view.lastSweep, nowMs)),
  ];
  return `${lines.map((line) => cut(line, columns)).join('\n')}\n`;
}

function attentionOf({ runtime, messages }: StatusView): readonly string[] {
  return [
    ...(runtime.state === 'down' ? [`the runtime ${runtime.kind ?? ''} is down: ${oneLine(runtime.description)}`] : []),
    ...(messages.failed > 0 ? [`${messages.failed} dead letters: "nightporter dead list"`] : []),
  ];
}

function noticeLine({ text, count, last }: NoticeView): string {
  const times = count > 1 ? `, ${count} times` : '';
  return `${shortTime(last)}${times}: ${oneLine(text)}`;
}

function bullet(text: string): string {
  return `  ! ${text}`;
}

function row(name: string, text: string): string {
  return `${name.padEnd(12)}${text}`;
}

function sweepLine({ startedAt, durationMs, swept, skipped, errors }: LastSweepView, nowMs: number): string {
  const ago = Math.max(0, Math.round((nowMs - Date.parse(startedAt)) / 1000));
  return `${ago} s ago, took ${durationMs} ms: ${swept} looked at, ${skipped} skipped, ${errors} errors`;
}
