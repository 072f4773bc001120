import { afterEach, expect, it } from 'vitest';
import { TestPorter } from '../../support/porter.js';
import { freePages, makeRubbish } from '../../support/rubbish.js';

let porter: TestPorter;

afterEach(async () => {
  await porter.close();
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
