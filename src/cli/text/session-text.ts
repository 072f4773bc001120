import type { IncarnationView, SessionSummaryView, SessionView } from '../../desk/views.js';
import { oneLine } from '../../protocol/plain-text.js';
import { shortTime } from './columns.js';

export const SUMMARY_HEAD = summaryRow('STATUS', 'LAST ACTIVE (UTC)', 'SESSION', '');

export function summaryLine(view: SessionSummaryView): string {
  const flags = [view.pinned && 'pinned', view.held && 'held', view.quarantined && 'quarantined'].filter(Boolean);
  return summaryRow(view.status, shortTime(view.lastActive), view.session, flags.join(', '));
}

export function sessionText(view: SessionView): string {
  const { messages, quarantine } = view;
  const facts: readonly (readonly [string, string])[] = [
    ['session', view.session],
    ['status', [view.status, ...(view.pinned ? ['pinned'] : [])].join(', ')],
    ...(view.closedAt === null
      ? []
      : [['closed', `${shortTime(view.closedAt)} (${view.closeReason ?? '-'})`] as const]),
    ...(view.held ? [['held', `since ${shortTime(view.heldSince)} (${view.holdReason ?? '-'})`] as const] : []),
    ...(quarantine === null
      ? []
      : [
          [
            'quarantined',
            `since ${shortTime(quarantine.since)}: ${quarantine.file}: ${oneLine(quarantine.detail)}`,
          ] as const,
        ]),
    ['provider', view.provider ?? "its group's"],
    ...(view.command === null ? [] : [['command', JSON.stringify(view.command)] as const]),
    ...view.providerSessions.map(
      ({ provider, id, lastUsedAt }) => ['resumes', `${provider} ${id}, used ${shortTime(lastUsedAt)}`] as const,
    ),
    ['image', view.image ?? "its group's"],
    ['created', shortTime(view.createdAt)],
    ['last active', shortTime(view.lastActive)],
    ['next due', shortTime(view.nextDue)],
    [
      'messages',
      `${messages.spooled} spooled, ${messages.pending} pending, ${messages.processing} processing, ` +
        `${messages.completed} completed, ${messages.failed} failed, ${messages.paused} paused`,
    ],
    ...view.incarnations.map((incarnation) => [`run ${incarnation.epoch}`, incarnationText(incarnation)] as const),
  ];
  return facts.map(([name, text]) => `${name.padEnd(13)}${text}\n`).join('');
}

export function incarnationText(view: IncarnationView): string {
  const start = `started ${shortTime(view.startedAt)}`;
  if (view.stoppedAt === null) return `${start}, not ended`;
  const how = [
    ...(view.exitCode === null ? [] : [`exit code ${view.exitCode}`]),
    ...(view.signal === null ? [] : [view.signal]),
    ...(view.oomKilled ? ['out of memory'] : []),
    ...(view.stopReason === null ? [] : [`stopped as ${view.stopReason}`]),
  ];
  return `${start}, ended ${shortTime(view.stoppedAt)} (${how.join(', ') || 'unknown how'}), ${view.turnsCompleted} turns`;
}

function summaryRow(status: string, lastActive: string, session: string, flags: string): string {
  return `${`${status.padEnd(10)}${lastActive.padEnd(20)} ${session}${flags === '' ? '' : `  ${flags}`}`.trimEnd()}\n`;
}
