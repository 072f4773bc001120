import type { ProbeReport, RuntimeCondition } from '../../ports/examination.js';
import type { InstallId } from '../../ports/runtime.js';
import { describeError } from '../describe-error.js';
import type { Chart } from './chart.js';
import type { Finding } from './finding.js';
import { ok, problem, warning } from './finding.js';
import type { DoctorWorld, ExaminedRuntime, Kind } from './world.js';
import { runProbe } from './probe.js';

const OTHER_FOLDERS =
  'see to it that the engine and this process see the same data dir: for a daemon in a container set HOST_DATA_DIR, for a desktop engine share the folder; with SELinux label it ("chcon -Rt container_file_t")';

/** Stands in where there is no data dir: nothing carries it. */
const NO_INSTALL = '0'.repeat(32) as InstallId;

/** Which runtime, and whether it answers; undefined: there is nothing to go on with. */
export async function checkEngine(
  chart: Chart,
  world: DoctorWorld,
  install: InstallId | undefined,
  recorded: string | undefined,
): Promise<(ExaminedRuntime & { readonly kind: Kind }) | undefined> {
  const { kind, reason } = world.chooseRuntime(recorded);
  chart.add('runtime', runtimeFinding(kind, reason, world.settings.runtime));
  let opened: ExaminedRuntime | undefined;
  let condition: RuntimeCondition | undefined;
  await chart.check('engine', async () => {
    try {
      opened = await world.openRuntime(kind, install ?? NO_INSTALL);
      condition = await opened.examiner.describe();
      return ok(condition.description);
    } catch (error) {
      return engineUnreachable(kind, describeError(error).message);
    }
  });
  if (opened === undefined) return undefined;
  if (condition === undefined) {
    await opened.close();
    return undefined;
  }
  chart.add('image', imageFinding(condition));
  return { ...opened, kind };
}

export async function checkProbe(
  world: DoctorWorld,
  { kind, examiner }: ExaminedRuntime & { readonly kind: Kind },
  install: InstallId,
): Promise<Finding> {
  await examiner.removeLeftovers();
  const begunMs = world.clock.monotonic();
  try {
    const { report, answered } = await runProbe(world, examiner, kind, install);
    return probeFinding(kind, report, answered, world.clock.monotonic() - begunMs);
  } catch (error) {
    const { message } = describeError(error);
    return problem(`it could not be run: ${message}`, remedyForRefusal(message));
  }
}

export function runtimeFinding(kind: Kind, reason: string, asked: 'auto' | Kind): Finding {
  if (kind === 'docker') return ok(`docker (${reason})`);
  if (asked === 'process') return ok('process (asked for): it does not isolate');
  return warning(
    `process (${reason}): agents are not isolated from this machine or from each other`,
    'for containers install Docker and run "nightporter start --runtime docker"; or set RUNTIME: process to say that it is meant so',
  );
}

export function engineUnreachable(kind: Kind, message: string): Finding {
  if (kind === 'process') return problem(message, 'mount /proc; without it use the docker runtime');
  const remedy = /permission|EACCES|may this user/i.test(message)
    ? 'let the daemon\'s user use the engine (add it to the group "docker", then log in again)'
    : 'start the engine ("systemctl start docker"), or set DOCKER_HOST to where it listens; messages are accepted and wait';
  return problem(message, remedy);
}

export function imageFinding({ runner }: RuntimeCondition): Finding {
  switch (runner.kind) {
    case 'ready':
      return ok(runner.what);
    case 'made_at_start':
      return ok(`${runner.what} is made from ${runner.base} when it is needed first`);
    case 'base_missing':
      return warning(
        `${runner.what} is not there, and neither is ${runner.base} that it is made from`,
        `"docker pull ${runner.base}" (or "docker load" where no registry is reached; or another RUNNER_BASE_IMAGE), then "scripts/build-image"`,
      );
    case 'missing':
      return problem(runner.what, 'build or install Nightporter again ("npm ci && npm run build")');
  }
}

/** `answered`: whether the host found the answer of the probe's agent; null: none was expected. */
export function probeFinding(kind: Kind, report: ProbeReport, answered: boolean | null, tookMs: number): Finding {
  const took = `${(tookMs / 1000).toFixed(1)} s`;
  const broken = report.tried.filter(({ held }) => !held);
  if (broken.length > 0) {
    const found = broken.map(({ what, detail }) => `${what}: no (${detail})`).join('; ');
    return problem(`in a container of this install, ${found}`, remedyFor(broken.map(({ what }) => what)));
  }
  const last = report.output.split('\n').at(-1) ?? '';
  if (report.exitCode === null) {
    return problem(
      `the runner did not end in time${said(last)}`,
      'look at the load of this machine (and of the engine); try again',
    );
  }
  if (report.exitCode !== 0) {
    return problem(
      `the runner ended with ${report.exitCode}${said(last)}`,
      kind === 'docker'
        ? 'remove the runner image ("docker rmi") so that it is built anew, or build it by hand ("scripts/build-image")'
        : 'build or install Nightporter again ("npm ci && npm run build")',
    );
  }
  if (answered === false) {
    return problem(
      `the runner ran, and its answer did not arrive here${said(last)}`,
      'see to it that the engine and this process see the same data dir (HOST_DATA_DIR for a daemon in a container)',
    );
  }
  if (kind === 'process') return ok(`the runner answered a message in ${took}`);
  const held = report.tried.map(({ what }) => what).join(', ');
  return ok(`a container ${held}${answered === true ? ', answers a message' : ''}; ${took}`);
}

function remedyForRefusal(message: string): string {
  if (/bind|mount|source path/i.test(message)) return OTHER_FOLDERS;
  if (/network/i.test(message)) return 'make the network that NETWORK names ("docker network create"), or name another';
  if (/no space|ENOSPC|EDQUOT/i.test(message)) return 'free some space on the disks of the data dir and of the engine';
  return 'mend what the message and the other checks tell; the log of the engine may say more';
}

function remedyFor(broken: readonly string[]): string {
  if (broken.some((what) => /^reads|folder of its session/.test(what))) {
    return OTHER_FOLDERS;
  }
  if (broken.some((what) => what.startsWith('writes'))) {
    return 'look at the owner and mode of sessions/*/*/out: run the daemon as the user who made them, with the same engine';
  }
  return 'this engine does not keep the limits that it is asked for: update it, and trust its containers no more than this user';
}

function said(last: string): string {
  return last === '' ? '' : `, and said: ${last.slice(0, 200)}`;
}
