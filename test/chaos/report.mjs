import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const REPORTS = fileURLToPath(new URL('../../reports/', import.meta.url));

/** `reports/chaos-<runtime>.<extension>` */
export function reportFile(runtime, extension) {
  mkdirSync(REPORTS, { recursive: true });
  return `${REPORTS}chaos-${runtime}.${extension}`;
}

/** For programs. */
export function writeReport(report) {
  const file = reportFile(report.runtime, 'json');
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  return file;
}

/** For people. */
export function summaryOf(report) {
  const { messages, schedules, faults, problems } = report;
  const lines = [
    `chaos, ${report.runtime} runtime, seed ${report.seed}: ${report.ok ? 'all is well' : 'WRONG'}`,
    row('time', `${report.seconds.faults} s of faults, ${report.seconds.quiet} s until quiet`),
    row('accepted', `${messages.accepted} in ${report.sessions} sessions (${report.repeats} sent again and known)`),
    row('completed', `${messages.completed}`),
    row('dead letters', listed(messages.dead)),
    row('answers', `${messages.answers}`),
    row('second answers', `${messages.explained} explained, ${messages.unexplained} unexplained`),
    row('lost', `${messages.lost}`),
    row('in order', `${report.inOrder} answers compared`),
    row(
      'schedules',
      `${schedules.series} of every minute: ${schedules.occurrences} occurrences, ${schedules.missed} made up for`,
    ),
    row('incarnations', `${report.incarnations}, at most ${report.mostAtOnce} at once in ${report.samples} samples`),
    row('faults', listed(faults)),
    row('engine restarts', `${faults['engine killed'] ?? 0}`),
    row('full disks', `${faults['disk full'] ?? 0}; after ${report.recoveries} the same daemon was watched to recover`),
    row('notices', listed(report.notices)),
    row('daemon', `${report.daemonStarts} starts, ${report.refusedStarts} of them refused`),
    row('refused to senders', listed(report.refusals)),
  ];
  const wrong = Object.entries(problems).flatMap(([kind, { count, first }]) => [
    `  ${kind}: ${count}`,
    ...first.map((what) => `    ${what}`),
  ]);
  return [...lines, ...(wrong.length > 0 ? ['what is wrong:', ...wrong] : [])].join('\n');
}

function row(what, value) {
  return `  ${what.padEnd(20)} ${value}`;
}

function listed(counts) {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}
