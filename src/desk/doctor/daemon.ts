import type { RegistryTotals } from '../../ports/registry.js';
import type { StatusView } from '../views.js';
import type { Finding } from './finding.js';
import { counted, ok, problem, together, warning } from './finding.js';
import type { DaemonAnswer } from './world.js';

/** So many intervals without a round, and a minute for a long one, are no delay any more. */
const INTERVALS = 3;
const SLACK_MS = 60_000;

export function daemonFinding(
  answer: DaemonAnswer,
  { totals, sweepIntervalMs, nowMs }: { totals: RegistryTotals | undefined; sweepIntervalMs: number; nowMs: number },
): Finding {
  switch (answer.kind) {
    case 'silent':
      return problem('it does not answer', 'see "lock"');
    case 'none': {
      const waiting = (totals?.messages.spooled ?? 0) + (totals?.messages.pending ?? 0);
      if (waiting === 0) return ok('none runs');
      return warning(`none runs, and ${counted(waiting, 'message')} may wait for it`, 'run "nightporter start"');
    }
    case 'answers':
      return answer.status === undefined
        ? warning(`process ${answer.pid} answers, but does not tell how things stand`, 'try again; look at its log')
        : runningFinding(answer.pid, answer.status, sweepIntervalMs, nowMs);
  }
}

function runningFinding(pid: number, status: StatusView, sweepIntervalMs: number, nowMs: number): Finding {
  const { lastSweep, runtime, draining, waiting } = status;
  const findings: Finding[] = [ok(`process ${pid} runs`)];
  if (runtime.state === 'down') {
    findings.push(
      problem(
        `its runtime ${runtime.kind ?? ''} is down: ${runtime.description}`,
        'see "engine"; it tries again by itself',
      ),
    );
  }
  const agoMs = lastSweep === null ? 0 : nowMs - Date.parse(lastSweep.startedAt);
  if (!draining && agoMs > sweepIntervalMs * INTERVALS + SLACK_MS) {
    findings.push(
      problem(
        `its last round began ${Math.round(agoMs / 1000)} s ago`,
        'look at its log; if it stays so start it again',
      ),
    );
  }
  if (draining) findings.push(warning('it is being drained: nothing is started', 'wait for it to end'));
  if (waiting > 0) {
    findings.push(
      warning(
        `${counted(waiting, 'session')} with due work wait for room`,
        'wait, or raise MAX_CONCURRENT_CONTAINERS as far as the machine allows',
      ),
    );
  }
  return together(findings);
}
