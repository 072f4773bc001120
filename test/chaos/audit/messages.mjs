import { keyOf } from '../ledger.mjs';
import { DOOMED, MAX_TRIES } from '../settings.mjs';

/** What interrupts a turn may have hit so long before the second answer. */
const EXPLAINED_WITHIN_MS = 10_000;

/** Every accepted message ended, once and for a reason; nothing is there that nobody sent. Returns the counts. */
export function auditMessages(sessions, { sent, accepted }, log, problems) {
  const found = new Map(
    sessions.flatMap(({ session, messages }) => messages.map((row) => [keyOf({ session, id: row.id }), row])),
  );
  const answers = answersByMessage(sessions);
  const counts = { accepted: accepted.size, completed: 0, dead: {}, answers: 0, lost: 0, explained: 0, unexplained: 0 };
  for (const [key, message] of accepted) {
    const row = found.get(key);
    if (row === undefined) {
      counts.lost += 1;
      problems.add('lost', key);
      continue;
    }
    const given = answers.get(key) ?? [];
    counts.answers += given.length;
    if (row.content !== JSON.stringify({ text: message.text })) problems.add('other content than was sent', key);
    if (row.tries > MAX_TRIES) problems.add('more tries than allowed', `${key}: ${row.tries}`);
    countEnd(key, row, message, given, counts, problems);
    countDuplicates(key, row, message.session, given, counts, log, problems);
  }
  const known = (key) => sent.has(key) || isOccurrence(key, sent);
  for (const key of found.keys()) if (!known(key)) problems.add('never sent', key);
  for (const key of answers.keys()) if (!found.has(key)) problems.add('an answer to no message', key);
  return counts;
}

function countEnd(key, row, message, given, counts, problems) {
  if (row.status === 'completed') {
    counts.completed += 1;
    if (given.length === 0) problems.add('completed without an answer', key);
    if (message.errand in DOOMED) problems.add('completed, although its program always fails', key);
  } else if (row.status === 'failed') {
    const reason = row.error_class ?? 'none';
    counts.dead[reason] = (counts.dead[reason] ?? 0) + 1;
    const mayDie = reason === DOOMED[message.errand] || (reason === 'tries_spent' && row.tries === MAX_TRIES);
    if (!mayDie)
      problems.add('a dead letter for no good reason', `${key}: ${reason}, ${row.tries} tries: ${row.error}`);
    if (row.error === null) problems.add('a dead letter without an error', key);
    if (given.length > 0) problems.add('answered, and a dead letter', key);
  } else {
    problems.add('not ended', `${key}: ${row.status}`);
  }
}

/** A runner writes answer and ack in one transaction: another answer needs another attempt, and what brought it about. */
function countDuplicates(key, row, session, given, counts, log, problems) {
  for (let index = 1; index < given.length; index += 1) {
    const [before, after] = [given[index - 1], given[index]].map(({ timestamp }) => Date.parse(timestamp));
    const isExplained = row.attempt > 0 && log.overlaps(session, before, after, EXPLAINED_WITHIN_MS);
    if (isExplained) counts.explained += 1;
    else {
      counts.unexplained += 1;
      problems.add('an unexplained second answer', `${key}: attempt ${row.attempt}, ${given[index].timestamp}`);
    }
  }
}

function answersByMessage(sessions) {
  const byMessage = new Map();
  for (const { session, answers } of sessions) {
    for (const answer of answers) {
      const key = keyOf({ session, id: answer.in_reply_to });
      byMessage.set(key, [...(byMessage.get(key) ?? []), answer]);
    }
  }
  return byMessage;
}

/** `<series>@<time>`, of a series that was sent. */
function isOccurrence(key, sent) {
  const [series, at] = key.split('@');
  return at !== undefined && sent.get(series)?.errand === 'schedule';
}

/**
 * What one sender sent to a session, one after the other and for at once, stands in the file in that order, and is
 * answered in it, but for what had to be tried again.
 */
export function auditOrder(sessions, { accepted }, problems) {
  let compared = 0;
  for (const { session, messages, answers } of sessions) {
    const rows = new Map(messages.map((row) => [row.id, row]));
    const mine = [...accepted.values()].filter((message) => message.session === session && message.after === undefined);
    const plain = mine.filter(
      (message) => message.errand !== 'schedule' && message.lane !== 'probe' && rows.has(message.id),
    );
    const seqs = plain.map(({ id }) => rows.get(id).seq);
    if (!isAscending(seqs)) problems.add('out of order in the file', session);
    const places = new Map(answers.map((answer, place) => [answer.in_reply_to, place]).reverse());
    const atOnce = plain.filter(({ id }) => rows.get(id).attempt === 0 && places.has(id));
    const answered = atOnce.map(({ id }) => places.get(id));
    const wrong = answered.findIndex((place, index) => index > 0 && place < answered[index - 1]);
    if (wrong > 0)
      problems.add('answered out of order', `${session}: ${atOnce[wrong].id} before ${atOnce[wrong - 1].id}`);
    compared += atOnce.length;
  }
  return compared;
}

function isAscending(values) {
  return values.every((value, index) => index === 0 || value > values[index - 1]);
}
