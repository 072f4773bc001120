import type { Command } from 'commander';
import type { ScheduleChange } from '../../desk/api.js';
import { requireAddress } from '../../desk/input-texts.js';
import type { ScheduleChangedView } from '../../desk/views.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading, openForWriting } from '../connect.js';
import { printInChunks, printJson, printJsonArray } from '../print.js';
import { oneLine } from '../../protocol/plain-text.js';
import { SCHEDULE_HEAD, scheduleLine, scheduleText } from '../text/schedule-text.js';

const CHANGES: Readonly<Record<Exclude<ScheduleChange['change'], 'set'>, string>> = {
  pause: 'run no further occurrence; one that is under way is finished',
  resume: 'go on with the next time; what fell into the pause is not made up for',
  'run-now': 'run one more at once, beside the schedule',
  cancel: 'end a series; an occurrence that is under way is finished',
};

export function addSchedule(parent: Command, cli: Cli): void {
  const group = withCommonOptions(parent.command('schedule')).description('series: recurring messages');
  group.addHelpText(
    'after',
    examples(
      'nightporter send demo/first "the nightly report" --id nightly --cron "0 2 * * *" --tz Europe/Berlin',
      'nightporter schedule list',
      'nightporter schedule pause demo/first nightly',
      'nightporter schedule set demo/first nightly --cron "0 3 * * 1-5" --missed skip',
    ),
  );
  addList(group, cli);
  addShow(group, cli);
  for (const [change, description] of Object.entries(CHANGES)) {
    const command = withSeries(group, change).description(description);
    command.action((session: string, series: string) =>
      cli.run(command, (context) => carryOut(context, session, series, { change: change as keyof typeof CHANGES })),
    );
  }
  addSet(group, cli);
}

function withSeries(group: Command, name: string): Command {
  return withCommonOptions(group.command(name))
    .argument('<group/session>', 'the session')
    .argument('<series>', 'the series, as "schedule list" shows it');
}

function addList(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('list'))
    .description('series that go on, with their next runs (UTC)')
    .argument('[group/session]', 'only of this session')
    .addHelpText('after', examples("nightporter schedule list --json | jq -r '.[] | select(.paused) | .series'"))
    .action((session: string | undefined) =>
      cli.run(command, async (context) => {
        if (session !== undefined) requireAddress(session);
        const desk = await openForReading(context);
        try {
          const rows = desk.api.schedules({ session });
          if (context.json) {
            await printJsonArray(context, rows);
            return 0;
          }
          let head = SCHEDULE_HEAD;
          const count = await printInChunks(context, rows, (row) => {
            const text = head + scheduleLine(row);
            head = '';
            return text;
          });
          if (count === 0) await context.output.write('no series\n');
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

function addShow(group: Command, cli: Cli): void {
  const command = withSeries(group, 'show')
    .description('one series: its schedule, its next times, how its last occurrences ended')
    .addHelpText('after', examples('nightporter schedule show demo/first nightly'))
    .action((session: string, series: string) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const desk = await openForReading(context);
        try {
          const view = await desk.api.showSchedule(session, series);
          if (context.json) await printJson(context.output, view);
          else await context.output.write(scheduleText(view));
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

interface SetOptions {
  readonly cron?: string;
  readonly tz?: string;
  readonly missed?: string;
  readonly text?: string;
}

function addSet(group: Command, cli: Cli): void {
  const command = withSeries(group, 'set')
    .description('change a series; its next run is computed anew from now')
    .option('--cron <expression>', 'five fields: minute hour day-of-month month day-of-week')
    .option('--tz <zone>', 'zone of the schedule, like Europe/Berlin')
    .option('--missed <policy>', 'of missed occurrences: latest (one for all), skip (none), all (each, at most 24)')
    .option('--text <text>', 'the text of the occurrences to come')
    .addHelpText('after', examples('nightporter schedule set demo/first nightly --cron "30 6 * * *"'))
    .action((session: string, series: string, { cron, tz, missed, text }: SetOptions) =>
      cli.run(command, (context) => carryOut(context, session, series, { change: 'set', cron, tz, missed, text })),
    );
}

async function carryOut(
  context: Parameters<Parameters<Cli['run']>[1]>[0],
  session: string,
  series: string,
  change: ScheduleChange,
): Promise<number> {
  requireAddress(session);
  const desk = await openForWriting(context);
  try {
    const view = await desk.api.changeSchedule(session, series, change);
    if (context.json) await printJson(context.output, view);
    else await context.output.write(`${outcomeText(view, change)}\n`);
    return 0;
  } finally {
    await desk.close();
  }
}

function outcomeText(view: ScheduleChangedView, { change }: ScheduleChange): string {
  const name = `${oneLine(view.series)} of ${view.session}`;
  if (!view.changed) return `${name} was ${view.paused ? 'paused' : 'not paused'} before: nothing changed`;
  const next = view.next === null ? 'paused' : `next ${view.next}`;
  const underWay = view.underWay ? '; the occurrence that is under way is finished' : '';
  switch (change) {
    case 'cancel':
      return `cancelled ${name}${underWay}`;
    case 'run-now':
      return `accepted ${view.session} ${oneLine(view.message ?? '')}, one more run of ${name}`;
    case 'pause':
      return `paused ${name}${underWay}`;
    case 'resume':
    case 'set':
      return `${change === 'set' ? 'set' : 'resumed'} ${name}: ${next}${underWay}`;
  }
}
