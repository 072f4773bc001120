import type { Clock } from '../../ports/clock.js';
import type { Examined, FolderDrift, StoreExaminer } from '../../ports/examination.js';
import type { Registry } from '../../ports/registry.js';
import type { Container, Runtime } from '../../ports/runtime.js';
import type { SessionAddress } from '../../protocol/address.js';
import type { Finding } from './finding.js';
import { counted, listed, ok, problem, together, warning } from './finding.js';

/** What a daemon has under way in a first look is over in a second one, or it lasts. */
const SECOND_LOOK_MS = 1_500;
const DAY_MS = 24 * 60 * 60_000;
/** L8: what is older was forgotten, not interrupted. */
const FORGOTTEN_MS = 14 * DAY_MS;

export async function checkFolders(store: StoreExaminer, clock: Clock, hasDaemon: boolean): Promise<Finding> {
  const first = await store.folders(clock.now());
  if (first.kind === 'failed') return notCompared(first);
  const { withoutFolder, withoutSession } = first.value;
  if (!hasDaemon || withoutFolder.count + withoutSession.count === 0) return foldersFinding(first.value);
  await pause(clock, SECOND_LOOK_MS);
  const second = await store.folders(clock.now());
  return second.kind === 'failed' ? notCompared(second) : foldersFinding(second.value);
}

function notCompared({ detail }: Extract<Examined<unknown>, { readonly kind: 'failed' }>): Finding {
  return warning(`folders and registry could not be compared: ${detail}`, 'run this as the user who owns the data dir');
}

export async function checkContainers(
  runtime: Pick<Runtime, 'list'>,
  registry: Registry,
  { clock, hasDaemon, startMs }: { readonly clock: Clock; readonly hasDaemon: boolean; readonly startMs: number },
): Promise<Finding> {
  const look = async () => {
    const containers = await runtime.list();
    const bornAfterMs = hasDaemon ? clock.now() - startMs : Infinity;
    return { containers, found: findDisagreements(containers, registry, bornAfterMs) };
  };
  const first = await look();
  if (!hasDaemon || first.found.length === 0) return containersFinding(first.found, first.containers.length, hasDaemon);
  await pause(clock, SECOND_LOOK_MS);
  const second = await look();
  const before = new Set(first.found.map(({ key }) => key));
  const lasting = second.found.filter(({ key }) => before.has(key));
  return containersFinding(lasting, second.containers.length, hasDaemon);
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

export function foldersFinding(drift: FolderDrift): Finding {
  const findings: Finding[] = [];
  const { withoutFolder, withoutSession } = drift;
  if (withoutFolder.count > 0) {
    findings.push(
      problem(
        `the files of ${counted(withoutFolder.count, 'session')} are gone: ${listed(withoutFolder.examples, withoutFolder.count)}`,
        'restore the folders from a backup before the next message makes fresh ones, or "nightporter session close GROUP/SESSION"',
      ),
    );
  }
  if (withoutSession.count > 0) {
    const old = withoutSession.examples.filter(({ ageMs }) => ageMs > FORGOTTEN_MS).length;
    const names = withoutSession.examples.map(({ path, ageMs }) => `${path} (${Math.floor(ageMs / DAY_MS)} d)`);
    findings.push(
      warning(
        `${counted(withoutSession.count, 'folder')} below sessions/ of no session: ${listed(names, withoutSession.count)}${old > 0 ? `; ${old} untouched for over 14 days` : ''}`,
        'look into them, then move them away; "nightporter session create GROUP/SESSION" takes one into use again',
      ),
    );
  }
  if (findings.length > 0) return together(findings);
  return ok(`${counted(drift.sessions, 'session')}, ${counted(drift.folders, 'folder')}`);
}

/** One container or incarnation for which engine and registry do not tell the same. */
export interface Disagreement {
  /** Stays the same while it lasts. */
  readonly key: string;
  readonly text: string;
}

/** As of this moment: what stops just now disagrees as well. Starts begun after `bornAfterMs` may be under way. */
export function findDisagreements(
  containers: readonly Container[],
  registry: Pick<Registry, 'findSession' | 'openIncarnations'>,
  bornAfterMs: number,
): readonly Disagreement[] {
  const found: Disagreement[] = [];
  const present = new Set<string>();
  for (const { id, name, session, epoch, state } of containers) {
    const record = session === undefined ? undefined : registry.findSession(session);
    if (session !== undefined) present.add(keyOf(session, epoch));
    if (record === undefined) {
      found.push({ key: id, text: `container ${name} is of no session that is known (${session ?? 'no label'})` });
    } else if (epoch < record.epoch && state !== 'exited') {
      found.push({
        key: id,
        text: `container ${name} of ${record.address} is run ${epoch}, the session is at ${record.epoch}`,
      });
    }
  }
  for (const { session, epoch, startedAtMs, begunAtMs } of registry.openIncarnations()) {
    const key = keyOf(session, epoch);
    if (startedAtMs === null && begunAtMs > bornAfterMs) continue;
    if (!present.has(key)) found.push({ key, text: `run ${epoch} of ${session} is open, and has no container` });
  }
  return found;
}

/** `lasting`: seen in two looks, so that nothing that is under way is told of. */
export function containersFinding(lasting: readonly Disagreement[], containers: number, hasDaemon: boolean): Finding {
  if (lasting.length === 0) return ok(`${counted(containers, 'container')} of this install`);
  const texts = lasting.map(({ text }) => text);
  const detail = listed(texts);
  return hasDaemon
    ? problem(detail, '"nightporter sweep" puts it right; if it does not, look at the log of the daemon')
    : warning(detail, '"nightporter start" puts it right (see what it would do with "nightporter sweep --dry-run")');
}

function keyOf(session: SessionAddress, epoch: number): string {
  return `${session} ${epoch}`;
}
