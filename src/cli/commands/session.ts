import type { Command } from 'commander';
import type { SessionChange } from '../../desk/api.js';
import { requireAddress } from '../../desk/input-texts.js';
import type { ChangedView } from '../../desk/views.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading, openForWriting } from '../connect.js';
import type { CommandContext } from '../context.js';
import { printInChunks, printJson, printJsonArray } from '../print.js';
import { sessionText, SUMMARY_HEAD, summaryLine } from '../text/session-text.js';

const CHANGES: Readonly<Record<SessionChange, string>> = {
  pin: 'exempt a session from closing, pruning and deletion',
  unpin: 'end that',
  suspend: 'start no containers for a session; messages are still accepted',
  resume: 'end that',
  close: 'close a session: no containers, no new messages; it can be reopened',
  reopen: 'open a closed session with all it had',
  delete: 'delete a closed session with its files, for good',
  release: "end a session's hold and quarantine",
};

export function addSession(parent: Command, cli: Cli): void {
  const group = withCommonOptions(parent.command('session')).description('sessions: create, list, show, change');
  group.addHelpText(
    'after',
    examples(
      'nightporter session create demo/first',
      'nightporter session create demo/script --command "python3 agent.py --fast"',
      'nightporter session list --closed',
      'nightporter session release demo/first',
    ),
  );
  addCreate(group, cli);
  addList(group, cli);
  addShow(group, cli);
  for (const [change, description] of Object.entries(CHANGES)) {
    addChange(group, cli, change as SessionChange, description);
  }
}

interface CreateOptions {
  readonly provider?: string;
  readonly command?: string;
  readonly image?: string;
}

function addCreate(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('create'))
    .description('make a session: its row, folder and files')
    .argument('<group/session>', 'the new session')
    .option('--provider <provider>', "what does its work (default: its group's)")
    .option(
      '--command <line>',
      'program and arguments of the provider "command"; split like a shell would, run without one',
    )
    .option('--image <image>', "image of its containers (default: its group's)")
    .addHelpText(
      'after',
      examples(
        'nightporter session create demo/first',
        'nightporter session create demo/script --command "python3 agent.py --fast"',
        'nightporter session create demo/own --image registry.example/agent:1.2',
      ),
    )
    .action((session: string, { provider, command: line, image }: CreateOptions) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const desk = await openForWriting(context);
        try {
          const view = await desk.api.createSession({ session, provider, command: line, image });
          if (context.json) await printJson(context.output, view);
          else await context.output.write(`created ${view.session}\n`);
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

function addList(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('list'))
    .description('sessions by name')
    .option('--closed', 'closed ones too')
    .addHelpText('after', examples("nightporter session list --json | jq -r '.[] | select(.held) | .session'"))
    .action((options: { readonly closed?: true }) =>
      cli.run(command, async (context) => {
        const desk = await openForReading(context);
        try {
          const rows = desk.api.sessions({ closed: options.closed === true });
          if (context.json) await printJsonArray(context, rows);
          else await printTable(context, rows);
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

async function printTable(context: CommandContext, rows: Parameters<typeof printInChunks<Summary>>[1]): Promise<void> {
  let isFirst = true;
  const count = await printInChunks<Summary>(context, rows, (row) => {
    const head = isFirst ? SUMMARY_HEAD : '';
    isFirst = false;
    return head + summaryLine(row);
  });
  if (count === 0) await context.output.write('no sessions\n');
}

type Summary = Parameters<typeof summaryLine>[0];

function addShow(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('show'))
    .description('one session: state, settings, messages, last runs')
    .argument('<group/session>', 'the session')
    .addHelpText('after', examples('nightporter session show demo/first'))
    .action((session: string) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const desk = await openForReading(context);
        try {
          const view = await desk.api.showSession(session);
          if (context.json) await printJson(context.output, view);
          else await context.output.write(sessionText(view));
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

function addChange(group: Command, cli: Cli, change: SessionChange, description: string): void {
  const command = withCommonOptions(group.command(change))
    .description(description)
    .argument('<group/session>', 'the session')
    .addHelpText('after', examples(`nightporter session ${change} demo/first`))
    .action((session: string) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const desk = await openForWriting(context);
        try {
          const view = await desk.api.changeSession(session, change);
          if (context.json) await printJson(context.output, view);
          else await context.output.write(`${changedText(view, change)}\n`);
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

function changedText(view: ChangedView, change: SessionChange): string {
  const state = `${view.session} is ${view.status}${view.pinned ? ', pinned' : ''}`;
  if (view.changed) return change === 'release' ? `${state}, released` : state;
  return change === 'release' ? `${state}, neither held nor quarantined` : `${state} already`;
}
