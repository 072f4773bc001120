import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { ChannelKey } from '../../../src/protocol/address.js';
import { TestPorter, session } from '../../support/porter.js';
import { freePages, makeRubbish, RUBBISH_AGE_MS, TRANSCRIPT } from '../../support/rubbish.js';

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;
const KEPT = session('g/kept');
const NEVER_OLD = {
  ...{ SESSION_CLOSE_AFTER_MS: 0, SESSION_DELETE_AFTER_MS: '300d', MAX_SESSION_AGE_MS: '300d' },
  ...{ CONVERSATION_MAX_AGE_DAYS: 300, KEEP_COMPLETED_DAYS: 300, DEAD_LETTER_DAYS: 300 },
  ...{ RETENTION_TRANSCRIPTS_DAYS: 300, RETENTION_DEBUG_DAYS: 300 },
};

let porter: TestPorter;

afterEach(async () => {
  await porter.close();
});

/** Of all that may be deleted by and by. */
function left(p: TestPorter): Record<string, boolean> {
  return {
    session: p.registry.findSession(session('g/deleted')) !== undefined,
    message: p.message('g/kept', 'm1') !== undefined,
    deadLetter: p.message('g/kept', 'dead-1') !== undefined,
    conversation: p.registry.findConversation('c:g/kept' as ChannelKey) !== undefined,
    resumeId: p.registry.providerSessions(KEPT).length > 0,
    transcript: existsSync(join(p.paths('g/kept').session, TRANSCRIPT)),
  };
}
const allOf = (isLeft: boolean) => ({
  ...{ session: isLeft, message: isLeft, deadLetter: isLeft },
  ...{ conversation: isLeft, resumeId: isLeft, transcript: isLeft },
});

/** Time passes; what rings is carried out. */
async function pass(p: TestPorter, ms: number): Promise<void> {
  p.clock.advance(ms);
  await p.upkeep.collect({ dryRun: true });
}

it('L4, L6, L12, L22, L23: a clock that leapt before the start deletes nothing until the pass after the next', async () => {
  const p = (porter = new TestPorter({ files: 'in_process', settings: NEVER_OLD }));
  await makeRubbish(p);
  p.upkeep.start();
  await pass(p, 5_000);
  await p.restart();
  p.clock.jump(YEAR - RUBBISH_AGE_MS);
  p.upkeep.start();
  await pass(p, 5_000);
  await pass(p, 30_000);
  expect(left(p)).toEqual(allOf(true));
  await pass(p, HOUR);
  // Not only on the next day.
  await pass(p, 30_000);
  expect(left(p)).toMatchObject({ session: false, message: false, deadLetter: false });
  await pass(p, HOUR);
  await pass(p, 24 * HOUR);
  expect(left(p)).toEqual(allOf(false));
});

it('L22: nor does one that leaps while the daemon runs, whichever job is the first that would delete', async () => {
  const p = (porter = new TestPorter({ files: 'in_process', settings: NEVER_OLD }));
  await makeRubbish(p);
  p.upkeep.start();
  await pass(p, 5_000);
  p.clock.jump(YEAR - RUBBISH_AGE_MS);
  await pass(p, 25_000);
  expect(left(p)).toEqual(allOf(true));
  // The operator knows what time it is.
  await p.upkeep.collect({ dryRun: false });
  expect(left(p)).toEqual(allOf(false));
});

it('L4, L23: a dry run lists exactly what a real one then does, of an install with rubbish of every kind', async () => {
  const p = (porter = new TestPorter({ files: 'in_process' }));
  await makeRubbish(p);
  freePages(p);
  const listed = await p.upkeep.collect({ dryRun: true, archive: true });
  const done = await p.upkeep.collect({ dryRun: false, archive: true });
  expect(done.actions.map((action) => ({ ...action, to: undefined }))).toEqual(listed.actions);
  expect(done.kept).toEqual(listed.kept);
  expect([done.failures, listed.failures]).toEqual([[], []]);
  expect(listed.actions.map(({ session, action, reason }) => `${session ?? '-'} ${action} ${reason}`).sort()).toEqual([
    '- vacuum free_pages',
    'g/deleted delete closed',
    'g/gone close folder_missing',
    'g/idle close idle',
    'g/idle drop_conversation idle',
    'g/idle drop_resume_id expired',
    'g/idle prune_artifact debug',
    'g/idle prune_artifact transcript',
    'g/idle prune_messages completed',
    'g/idle prune_messages dead_letter',
    'g/idle-and-gone close folder_missing',
    'g/idle-and-gone drop_conversation idle',
    'g/idle-and-gone drop_resume_id expired',
    'g/kept drop_conversation idle',
    'g/kept drop_resume_id expired',
    'g/kept prune_artifact debug',
    'g/kept prune_artifact transcript',
    'g/kept prune_messages completed',
    'g/kept prune_messages dead_letter',
    'h/stray archive_folder no_session',
  ]);
});
