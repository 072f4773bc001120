import type { Command } from 'commander';
import { describeError } from '../../desk/describe-error.js';
import type { DaemonAnswer } from '../../desk/doctor/world.js';
import type { StatusView } from '../../desk/views.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { findDaemon } from '../connect.js';
import type { CommandContext } from '../context.js';
import type { DaemonConnection } from '../daemon-client.js';
import { printJson } from '../print.js';
import { doctorText } from '../text/doctor-text.js';

const STATUS_PATIENCE_MS = 10_000;

export function addDoctor(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('doctor'))
    .description(
      'check everything that is needed, and say what to do about what is wrong; exit 1 if there is a problem',
    )
    .addHelpText(
      'after',
      `
It works with a daemon and without one, takes no lock, and changes nothing but a probe of its own that it removes again.
Run it as the daemon's user and with its environment (DOCKER_HOST, NIGHTPORTER_...): it looks with what it is given.
${examples('nightporter doctor', 'nightporter doctor --json | jq \'.checks[] | select(.state != "ok")\'')}`,
    )
    .action(() =>
      cli.run(command, async (context) => {
        const { dataDir, configFile } = context;
        const host = await context.host();
        const view = await host.examine({ dataDir, configFile, daemon: () => askDaemon(context) });
        if (context.json) await printJson(context.output, view);
        else await context.output.write(doctorText(view));
        return view.problems > 0 ? 1 : 0;
      }),
    );
}

async function askDaemon(context: CommandContext): Promise<DaemonAnswer> {
  try {
    const daemon = await findDaemon(context);
    if (daemon === undefined) return { kind: 'none' };
    return { kind: 'answers', pid: daemon.pid, status: await statusInTime(daemon) };
  } catch (error) {
    return { kind: 'silent', detail: describeError(error).message };
  }
}

/** undefined: it answers, but not this in time. */
async function statusInTime({ api }: DaemonConnection): Promise<StatusView | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined);
    }, STATUS_PATIENCE_MS);
  });
  try {
    return await Promise.race([api.status().catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}
