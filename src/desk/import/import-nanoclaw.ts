import { isAbsolute } from 'node:path';
import type { ForeignGroup, ForeignSession, ImportedSession } from '../../core/import/foreign.js';
import { nameSessions } from '../../core/import/sessions.js';
import type { KnownSessions } from '../../core/import/sessions.js';
import { NightporterError } from '../../protocol/errors.js';
import { splitAddress } from '../../protocol/address.js';
import type { SessionAddress } from '../../protocol/address.js';
import { isZone } from '../../protocol/zones.js';
import type { Nanoclaw, Read, Source } from '../../ports/nanoclaw.js';
import type { ImportInput } from '../api.js';
import { describeError } from '../describe-error.js';
import type { Desk } from '../desk.js';
import { quoted } from '../input-texts.js';
import { importSession } from './import-session.js';
import { NoteBook, sumOf } from './import-view.js';
import type { ImportAborted, ImportedSessionView, ImportView } from './import-view.js';
import { findBrought, releaseReserved } from './register-session.js';

const SESSIONS_MAX = 100_000;
const ZONE_SHOWN_CHARS = 100;

/**
 * Brings over sessions, messages, series and history of a NanoClaw v2 installation, one session after the other, each whole or not at all.
 * What cannot be brought is listed; what was brought before is left as it is, so that it may be run again at any time. Only a full disk and what
 * concerns the registry end it early: `aborted`.
 * @throws NightporterError `usage`, `not_found` (no installation), `refused` (unreadable, another import), `failed` (before the first session)
 */
export async function importNanoclaw(desk: Desk, input: ImportInput): Promise<ImportView> {
  const { nanoclaw } = desk;
  if (nanoclaw === null) throw new NightporterError('unavailable', 'nothing can be imported from here');
  if (!isAbsolute(input.folder)) {
    throw new NightporterError(
      'usage',
      `${quoted(input.folder)} is no absolute path: name the folder of NanoClaw from / on`,
    );
  }
  const begun = await nanoclaw.begin(input.folder);
  if (begun.kind !== 'ok') {
    const code = begun.kind === 'not_found' ? 'not_found' : 'refused';
    throw new NightporterError(code, begun.kind === 'refused' ? unreadable(input.folder, begun.why) : begun.why);
  }
  try {
    releaseReserved(desk);
    return await importFrom(desk, nanoclaw, begun.source, input);
  } finally {
    await cleanUp(desk, nanoclaw, begun.source);
  }
}

/** What fails here is done by the next import or start: it keeps nobody from what is to be told. */
async function cleanUp(desk: Desk, nanoclaw: Nanoclaw, source: Source): Promise<void> {
  try {
    await nanoclaw.end(source);
    releaseReserved(desk);
  } catch (err) {
    desk.log.error({ err }, 'import could not be cleaned up after');
  }
}

async function importFrom(desk: Desk, nanoclaw: Nanoclaw, source: Source, input: ImportInput): Promise<ImportView> {
  const found = requireRead(source, await nanoclaw.groups(source));
  const { rows, known } = await readSessions(desk, nanoclaw, source);
  const notes = new NoteBook();
  const zone = chooseZone(found.zone, desk.settings().timezone, notes);
  noteUnknownZones(found.groups, zone, notes);
  const named = nameSessions(found.groups, rows.filter(isNamed), { zone, nowMs: desk.clock.now(), known });
  const chosen = chooseGroup(named, input.group);
  for (const row of rows) if (!isNamed(row)) notes.left('a row of sessions without a readable id', row.group);
  for (const { isRunning, id } of rows) {
    if (!isRunning) continue;
    notes.add({ kind: 'changed', reason: 'a session that is marked as running: is NanoClaw stopped?', of: id });
  }
  if (input.group === undefined) await noteStrayFolders(nanoclaw, source, rows, notes);
  const sessions: ImportedSessionView[] = [];
  let aborted: ImportAborted | null = null;
  for (const session of chosen) {
    try {
      sessions.push(await importSession({ desk, nanoclaw, source, dryRun: input.dryRun }, session));
    } catch (err) {
      desk.log.error({ err, session: session.address }, 'import ended early');
      aborted = { session: session.address, ...describeError(err) };
      break;
    }
  }
  return { dryRun: input.dryRun, source: source.root, sessions, counts: countsOf(sessions), aborted, notes: notes.all };
}

/** Of series whose group has none of its own: that of the installation where it is one, else ours. */
function chooseZone(theirs: string | null, ours: string, notes: NoteBook): string {
  if (theirs !== null && isZone(theirs)) return theirs;
  if (theirs === null) {
    notes.add({ kind: 'changed', reason: 'no TZ in its .env: series are taken to be in this zone', of: ours });
  } else {
    const reason = `a TZ in its .env that is no time zone here: series are taken to be in ${ours}`;
    notes.add({ kind: 'changed', reason, of: cutZone(theirs) });
  }
  return ours;
}

function noteUnknownZones(groups: readonly ForeignGroup[], zone: string, notes: NoteBook): void {
  for (const { zone: own } of groups) {
    if (own === null || isZone(own)) continue;
    const reason = `a zone of a group that is no time zone here: its series are taken to be in ${zone}`;
    notes.add({ kind: 'changed', reason, of: cutZone(own) });
  }
}

function cutZone(text: string): string {
  return text.slice(0, ZONE_SHOWN_CHARS);
}

function countsOf(sessions: readonly ImportedSessionView[]): ImportView['counts'] {
  const count = (wanted: ImportedSessionView['state']): number =>
    sessions.filter(({ state }) => state === wanted).length;
  return {
    brought: count('brought'),
    known: count('known'),
    left: count('left'),
    ...sumOf(sessions.map((session) => session.counts)),
  };
}

/** `known`: those that were brought before. */
async function readSessions(
  { registry }: Desk,
  nanoclaw: Nanoclaw,
  source: Source,
): Promise<{ readonly rows: readonly ForeignSession[]; readonly known: KnownSessions }> {
  const rows: ForeignSession[] = [];
  const known = new Map<ForeignSession, SessionAddress>();
  for (let after: number | null = 0; after !== null;) {
    const page: Awaited<ReturnType<Nanoclaw['sessions']>> = requireRead(source, await nanoclaw.sessions(source, after));
    rows.push(...page.rows);
    for (const row of page.rows) {
      const address = findBrought(registry, row);
      if (address !== undefined) known.set(row, address);
    }
    after = page.next;
    if (rows.length > SESSIONS_MAX) {
      throw new NightporterError(
        'refused',
        `${source.root} has over ${SESSIONS_MAX} sessions: that is more than can be imported`,
      );
    }
  }
  return { rows, known };
}

function isNamed({ id, group }: ForeignSession): boolean {
  return id !== '' && group !== '';
}

function chooseGroup(sessions: readonly ImportedSession[], group: string | undefined): readonly ImportedSession[] {
  if (group === undefined) return sessions;
  const groupOf = ({ address }: ImportedSession): string => splitAddress(address).group;
  const chosen = sessions.filter((session) => groupOf(session) === group);
  if (chosen.length > 0) return chosen;
  const names = [...new Set(sessions.map(groupOf))].slice(0, 20).join(', ');
  throw new NightporterError(
    'not_found',
    `no session there is of group ${quoted(group)}: there are ${names === '' ? 'none at all' : names}`,
  );
}

/** Folders of sessions that the central database does not know (any more). */
async function noteStrayFolders(
  nanoclaw: Nanoclaw,
  source: Source,
  rows: readonly ForeignSession[],
  notes: NoteBook,
): Promise<void> {
  const found = await nanoclaw.folders(source, SESSIONS_MAX);
  if (found.kind === 'refused') {
    if (rows.length > 0) notes.left('the list of folders of sessions', found.why);
    return;
  }
  const known = new Set(rows.map(({ group, id }) => `${group}/${id}`));
  for (const { group, session } of found.folders) {
    if (!known.has(`${group}/${session}`)) notes.left('a folder without a row in sessions', `${group}/${session}`);
  }
}

function requireRead<T>(source: Source, read: Read<T>): T & { readonly kind: 'ok' } {
  if (read.kind === 'ok') return read;
  throw new NightporterError('refused', unreadable(source.root, read.why));
}

function unreadable(folder: string, why: string): string {
  return `the central database of ${folder} cannot be read (${why}): nothing was imported`;
}
