import type { ImportedSession } from '../../core/import/foreign.js';
import type { SessionAddress } from '../../protocol/address.js';
import { DiskFull, NightporterError } from '../../protocol/errors.js';
import type { FilesLook } from '../../ports/session-files.js';
import { describeError } from '../describe-error.js';
import type { Desk } from '../desk.js';
import { finishRemovalAlone } from '../finish-removal.js';
import { explainCaseTwin } from '../send-message.js';
import { NOTHING } from './import-view.js';
import type { ImportedSessionView } from './import-view.js';
import { originFact, registerSession, releaseReserved, reserveSession, occupyIds } from './register-session.js';
import { SessionImport } from './session-import.js';
import type { ImportWork } from './session-import.js';
import { requireRead, SessionLeft } from './session-left.js';

/** Brings one session: its files are made beside their place, put there whole, and then it is registered. */
export async function importSession(work: ImportWork, session: ImportedSession): Promise<ImportedSessionView> {
  const { desk, dryRun } = work;
  const { address, from, status, provider } = session;
  const mark = JSON.stringify({ nanoclaw: [from.group, from.id] });
  const view = { from: `${from.group}/${from.id}`, session: address, status, provider, why: null };
  const nothing = { ...view, counts: NOTHING, notes: [] };
  // Also where it was deleted since: what was brought once is not brought again.
  const isKnown = session.isKnown || desk.registry.readFact(originFact(address)) === mark;
  if (isKnown) return { ...nothing, state: 'known' };
  const one = new SessionImport(work, session);
  try {
    await requireFree(work, session, mark);
    await bringOne(work, one, session);
    if (!dryRun) await putInPlace(work, session, mark);
    return { ...view, state: 'brought', counts: one.counts, notes: one.notes.all };
  } catch (error) {
    if (!(error instanceof SessionLeft)) throw error;
    if (!dryRun) await giveUp(work, session);
    return { ...nothing, state: 'left', why: error.message };
  }
}

/** What nobody has thought of in one session's rows does not keep the others from being brought. */
async function bringOne({ desk }: ImportWork, one: SessionImport, { address }: ImportedSession): Promise<void> {
  try {
    await one.bring();
  } catch (err) {
    if (err instanceof SessionLeft || err instanceof NightporterError) throw err;
    desk.log.error({ err, session: address }, 'session cannot be imported');
    throw new SessionLeft(`its rows cannot be taken over: ${describeError(err).message}`);
  }
}

async function giveUp({ desk, nanoclaw }: ImportWork, { address }: ImportedSession): Promise<void> {
  releaseReserved(desk);
  const dropped = await nanoclaw.drop(address);
  if (dropped.kind === 'refused') {
    desk.log.warn({ session: address, reason: dropped.why }, 'what an import made could not be removed');
  }
}

async function putInPlace({ desk, nanoclaw }: ImportWork, session: ImportedSession, mark: string): Promise<void> {
  const { address } = session;
  reserveSession(desk, session);
  await occupyIds(desk, nanoclaw, session);
  requireRead(await nanoclaw.place(address));
  registerSession(desk, session, mark, await findLook(desk, address));
  desk.rounds?.hint(address);
  desk.log.info({ session: address }, 'session imported');
}

/** undefined: it is looked at when it is due, which is at once. */
async function findLook({ files, clock, log }: Desk, address: SessionAddress): Promise<FilesLook | undefined> {
  try {
    const look = await files.look(address, { nowMs: clock.now(), lane: 'normal' });
    return look.kind === 'ok' ? look : undefined;
  } catch (err) {
    log.warn({ err, session: address }, 'imported session could not be looked at');
    return undefined;
  }
}

/** The address has no session, no folder, and none on its way out. */
async function requireFree(
  { desk, nanoclaw, dryRun }: ImportWork,
  session: ImportedSession,
  mark: string,
): Promise<void> {
  const { address } = session;
  const { registry } = desk;
  const twin = registry.findCaseTwin(address);
  if (twin !== undefined) throw new SessionLeft(explainCaseTwin(address, twin));
  if (registry.findSession(address) !== undefined)
    throw new SessionLeft(`there is a session ${address} of another origin`);
  if (registry.readFact(originFact(address)) !== undefined) {
    throw new SessionLeft(`${address} was imported from another installation`);
  }
  const leftover = dryRun ? undefined : await removeOld(desk, address);
  if (leftover !== undefined)
    throw new SessionLeft(`the folder of the deleted session ${address} is not gone yet (${leftover})`);
  if (requireRead(await nanoclaw.prepare(address, mark, dryRun)).state === 'taken') {
    throw new SessionLeft(`there is a folder of no session in its place (sessions/${address}): move it away`);
  }
}

async function removeOld(desk: Desk, address: SessionAddress): Promise<string | undefined> {
  try {
    return await finishRemovalAlone(desk, address);
  } catch (error) {
    if (error instanceof DiskFull) throw error;
    return describeError(error).message;
  }
}
