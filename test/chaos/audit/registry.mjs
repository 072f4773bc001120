import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const STATES = ['pending', 'completed', 'failed', 'paused'];

/** The registry says what the files say, and a turn was never counted twice. */
export function auditRegistry(registry, sessions, problems) {
  if (registry.spool.length > 0) problems.add('left in the spool', `${registry.spool.length} messages`);
  const known = new Map(registry.sessions.map((row) => [row.address, row]));
  for (const { session, messages, acks } of sessions) {
    const row = known.get(session);
    if (row === undefined) {
      problems.add('a folder without a row', session);
      continue;
    }
    for (const state of STATES) {
      const count = messages.filter(({ status }) => status === state).length;
      if (row[state] !== count)
        problems.add('the registry counts otherwise', `${session}: ${row[state]} ${state}, the file has ${count}`);
    }
    const claims = acks.filter(({ status }) => status === 'processing').length;
    if (claims > 0 || row.processing > 0)
      problems.add('a claim was left', `${session}: ${claims}, the registry says ${row.processing}`);
    if (row.quarantined_at !== null)
      problems.add('quarantined', `${session}: ${row.quarantine_file}: ${row.quarantine_detail}`);
  }
  for (const state of [...STATES, 'processing', 'spooled']) {
    const sum = registry.sessions.reduce((total, row) => total + row[state], 0);
    if (registry.totals[state] !== sum)
      problems.add('the totals are wrong', `${state}: ${registry.totals[state]}, in all ${sum}`);
  }
  for (const { session, epoch } of registry.incarnations.filter((row) => row.stopped_at === null))
    problems.add('an incarnation that did not end', `${session}: ${epoch}`);
  auditTurns(registry.turnEnds, problems);
}

/** One incarnation ends a turn of a message once: a second time would be a try counted twice. */
function auditTurns(ends, problems) {
  const seen = new Set();
  for (const { session, id, attempt, epoch, reason } of ends.filter((end) => end.reason === 'unfinished_turn')) {
    const key = `${session} ${id} ${epoch}`;
    if (seen.has(key)) problems.add('a turn counted twice', `${key}: attempt ${attempt}, ${reason}`);
    seen.add(key);
  }
}

/** What a data dir consists of once everything has ended: anything else is a leaving of something that broke off. */
const BELONGS = [
  /^registry\.db(-wal|-shm)?$/,
  /^nightporter\.lock$/,
  /^workers\.json$/,
  /^(run|staging|sessions)$/,
  /^sessions\/[^/]+(\/[^/]+(\/(in|out|host))?)?$/,
  /^sessions\/[^/]+\/[^/]+\/in\/(inbound\.db|inbox)$/,
  /^sessions\/[^/]+\/[^/]+\/out\/(outbound\.db|inbound\.db|\.heartbeat|outbox)$/,
  /^sessions\/[^/]+\/[^/]+\/host\/run$/,
  // Of a turn that was interrupted: the session's next turn removes it.
  /^sessions\/[^/]+\/[^/]+\/out\/outbox\/\.turn-[0-9a-f-]+$/,
];

export function auditLeavings(dataDir, problems) {
  const paths = readdirSync(dataDir, { recursive: true, withFileTypes: true }).map((entry) =>
    relative(dataDir, join(entry.parentPath, entry.name)),
  );
  for (const path of paths) {
    if (!BELONGS.some((pattern) => pattern.test(path))) problems.add('left lying around', path);
  }
}
