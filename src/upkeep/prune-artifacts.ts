import {
  gatherArtifacts,
  judgeArtifact,
  newestWrite,
  rulesWithin,
  type Artifact,
  type ArtifactPart,
  type ArtifactRule,
  type ArtifactWindows,
} from '../core/retention/artifacts.js';
import type { ArtifactEnd } from '../ports/artifacts.js';
import type { SessionRecord } from '../ports/registry.js';
import type { ContainerPresence } from '../ports/upkeep.js';
import type { SessionAddress } from '../protocol/address.js';
import { HOST_FOLDER, OUT_FOLDER } from '../protocol/workspace.js';
import { eachSession } from './each-session.js';
import type { Job, Pass } from './job.js';
import { createJob } from './job.js';
import type { Keeper } from './keeper.js';

const FIRST_AFTER_MS = 30_000;
const DAY_MS = 24 * 60 * 60_000;
/** In one go, during which nobody else looks at the session. */
const PORTION = 1_000;
const INCARNATIONS = 1_000;
/** The workspace is the agent's home (docs/protocol.md). */
const RULES = rulesWithin({ home: [OUT_FOLDER], host: [HOST_FOLDER] });
const NOBODY: ReadonlySet<string> = new Set();

/** Deletes what agents and containers left behind, each type after its own time (L23). */
export function pruneArtifacts(keeper: Keeper): Job {
  return createJob({
    name: 'prune-artifacts',
    clock: keeper.clock,
    log: keeper.log,
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: () => keeper.clockTrust.pauseMs(DAY_MS),
    work: (pass) => prune(keeper, pass),
  });
}

async function prune(keeper: Keeper, pass: Pass): Promise<void> {
  if (!keeper.clockTrust.holds(pass)) return;
  const nowMs = keeper.clock.now();
  await eachSession(keeper, pass, 'artifacts', async (record) => {
    if (isExempt(record)) return;
    await pruneOne({ keeper, pass, nowMs, address: record.address, windows: keeper.retention(record).artifacts });
  });
}

/** L5; what is quarantined is not read. */
function isExempt({ pinned, status, quarantine }: SessionRecord): boolean {
  return pinned || status === 'suspended' || quarantine !== null;
}

interface Visit {
  readonly keeper: Keeper;
  readonly pass: Pass;
  readonly nowMs: number;
  readonly address: SessionAddress;
  readonly windows: ArtifactWindows;
}

/** Found without holding up anybody; judged once more, with what lives by then, before it is deleted. */
async function pruneOne(visit: Visit): Promise<void> {
  const { keeper, pass, nowMs, address, windows } = visit;
  const rules = RULES.filter(({ type }) => windows[type] > 0);
  const found = await find(visit, rules);
  if (found === undefined) return;
  const { artifacts, links } = gatherArtifacts(found, rules);
  for (let link = 0; link < links; link += 1) pass.kept('link');
  let old: readonly Artifact[] = artifacts.filter((one) => {
    const verdict = judgeArtifact(one, windows, NOBODY, nowMs);
    if (verdict.kind === 'keep' && verdict.reason !== 'recent') pass.kept(verdict.reason);
    return verdict.kind === 'delete';
  });
  while (old.length > 0 && !pass.isStopping()) {
    const portion = old.slice(0, PORTION);
    const done = await keeper.supervision.undisturbed(address, (container) => prunePortion(visit, portion, container));
    if (done === 0) return;
    old = old.slice(done);
  }
}

/** undefined: there is nothing to be looked at, or it cannot be. */
async function find(
  { keeper, pass, address }: Visit,
  rules: readonly ArtifactRule[],
): Promise<readonly ArtifactPart[] | undefined> {
  if (rules.length === 0) return undefined;
  const folders = rules.map(({ folder, name, is }) => ({ folder, name, is }));
  const found: ArtifactPart[] = [];
  for (let from: number | null = 0; from !== null;) {
    if (pass.isStopping()) return undefined;
    const page: Awaited<ReturnType<typeof keeper.files.artifacts>> = await keeper.files.artifacts(
      address,
      folders,
      from,
    );
    if (page.kind !== 'ok') {
      if (page.kind !== 'missing') pass.kept('files_unreadable');
      return undefined;
    }
    found.push(...page.found);
    if (page.isCut) pass.kept('too_many');
    from = page.next;
  }
  return found;
}

/** How many of them are done with; 0: none of them can be judged now. */
async function prunePortion(visit: Visit, portion: readonly Artifact[], container: ContainerPresence): Promise<number> {
  const { keeper, pass, nowMs, address, windows } = visit;
  const alive = await findAlive(visit, container);
  if (typeof alive === 'string') {
    if (alive !== 'exempt') pass.kept(alive);
    return 0;
  }
  const doomed: Artifact[] = [];
  for (const one of portion) {
    const verdict = judgeArtifact(one, windows, alive.ids, nowMs);
    if (verdict.kind === 'keep') pass.kept(verdict.reason);
    else if (one.type === 'log' && isInUse(one, alive)) pass.kept('container');
    else doomed.push(one);
  }
  if (pass.dryRun) {
    for (const one of doomed) tell(visit, one);
    return portion.length;
  }
  for (let rest = doomed; rest.length > 0;) {
    const outcome = await keeper.files.removeArtifacts(
      address,
      rest.map(({ paths, owners, ...one }) => ({ paths, owners, newestMs: newestWrite(one) })),
      [...alive.ids],
    );
    if (outcome.kind !== 'ok') {
      pass.kept('files_unreadable');
      return 0;
    }
    const ended = rest.slice(0, outcome.ends.length);
    for (const [index, one] of ended.entries()) tellEnd(visit, one, outcome.ends[index]);
    if (ended.length === 0) return 0;
    rest = rest.slice(ended.length);
  }
  return portion.length;
}

interface Alive {
  /** Of the provider's sessions. */
  readonly ids: ReadonlySet<string>;
  /** Whose files are left alone: all, or those that run or were the last. */
  readonly containers: 'all' | ReadonlySet<string>;
}

function isInUse({ owners }: Artifact, { containers }: Alive): boolean {
  return containers === 'all' || owners === 'unsaid' || owners.some((id) => containers.has(id));
}

/** What must not be touched, or why that cannot be told. */
async function findAlive(
  { keeper, pass, address }: Visit,
  container: ContainerPresence,
): Promise<Alive | 'exempt' | 'runtime_unknown' | 'files_unreadable'> {
  const { registry, files } = keeper;
  const record = registry.findSession(address);
  if (record === undefined || isExempt(record)) return 'exempt';
  if (container === 'unknown') return 'runtime_unknown';
  const dropped = pass.foreseen.droppedOf(address);
  const outcome = await files.resumeIds(address, dropped);
  if (outcome.kind !== 'ok') return 'files_unreadable';
  const used = registry
    .incarnations(address, INCARNATIONS)
    .filter(({ stoppedAtMs }, index) => index === 0 || stoppedAtMs === null)
    .flatMap(({ containerId }) => (containerId === null ? [] : [containerId]));
  const known = registry
    .providerSessions(address)
    .flatMap(({ provider, id }) => (dropped.includes(provider) ? [] : id));
  return { ids: new Set([...outcome.ids, ...known]), containers: container === 'none' ? new Set<string>(used) : 'all' };
}

function tellEnd(visit: Visit, artifact: Artifact, end: ArtifactEnd | undefined): void {
  if (end === 'removed') tell(visit, artifact);
  else visit.pass.kept(end ?? 'failed');
}

function tell({ keeper, pass, address }: Visit, { type, parts }: Artifact): void {
  for (const { path, bytes } of parts) {
    const whole = `${keeper.folderOf(address)}/${path}`;
    pass.did({ session: address, action: 'prune_artifact', reason: type, path: whole, bytes });
  }
}
