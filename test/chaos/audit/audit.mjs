import { readLedger } from '../ledger.mjs';
import { readRegistry, readSessions } from './files.mjs';
import { auditMessages, auditOrder } from './messages.mjs';
import { auditLeavings, auditRegistry } from './registry.mjs';
import { auditSchedules } from './schedules.mjs';

/** A daemon that starts on a full disk may say so and leave; one that a command keeps out of its data dir, too. */
const FULL_TAIL_MS = 3_000;
const TAKEN = 5;

/** All that lies there, against all that was confirmed. What is wrong goes to `problems`. */
export function auditAll({ ground, daemon, log, problems }) {
  const ledger = readLedger(ground.ledgerFile);
  const sessions = readSessions(ground.dataDir, problems);
  const registry = readRegistry(ground.dataDir, problems);
  const accepted = [...ledger.accepted].filter(([, { errand }]) => errand !== 'schedule');
  const messages = { ...ledger, accepted: new Map(accepted) };
  if (registry !== undefined) auditRegistry(registry, sessions, problems);
  auditLeavings(ground.dataDir, problems);
  return {
    sessions: sessions.length,
    messages: auditMessages(sessions, messages, log, problems),
    inOrder: auditOrder(sessions, messages, problems),
    schedules: auditSchedules(sessions, ledger, log, problems),
    incarnations: registry?.incarnations.length ?? 0,
    ...auditDaemon(daemon, log, problems),
  };
}

function auditDaemon(daemon, log, problems) {
  const refused = daemon.unasked.filter(
    ({ atMs, code, served }) =>
      !served && (code === TAKEN || (code === 1 && log.wasUnderWay('disk full', atMs, FULL_TAIL_MS))),
  );
  for (const end of daemon.unasked.filter((one) => !refused.includes(one))) {
    const how = `${String(end.code)} ${String(end.signal)} at ${new Date(end.atMs).toISOString()}`;
    problems.add('the daemon ended by itself', `${how}: ${end.tail.slice(-3).join(' | ')}`);
  }
  return {
    daemonStarts: daemon.starts,
    refusedStarts: refused.length,
    notices: Object.fromEntries(daemon.notices),
    errors: Object.fromEntries(daemon.errors),
  };
}
