import { planReplaced } from '../core/plan/settle.js';
import type { SessionRecord } from '../ports/registry.js';
import type { CorruptFile } from '../ports/session-files.js';
import type { Supervised } from './fleet.js';
import { changesOf, isMessageAction, tellMessages } from './message-actions.js';
import type { Porter } from './porter.js';

/** Moves a corrupt file aside and makes a fresh one; what was unfinished is tried again, with one try spent. */
export async function replaceFile(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  file: CorruptFile,
  detail: string,
): Promise<void> {
  const session = record.address;
  const outcome = await porter.files.replaceCorrupt(session, file);
  if (outcome.kind !== 'ok') return;
  one.corrupt = null;
  porter.notices.raise(
    'replaced_corrupt_file',
    session,
    `${file} of ${session} was corrupt (${detail}); it is kept as ${outcome.movedTo} and a fresh one was made`,
  );
  porter.log.warn({ session, file, detail, movedTo: outcome.movedTo }, 'corrupt file replaced');
  const plan = planReplaced(outcome.unfinished, porter.policy(record), porter.clock.now());
  const actions = plan.filter(isMessageAction);
  if (actions.length > 0) {
    const changed = await porter.files.change(session, changesOf(actions));
    if (changed.kind === 'ok' && changed.written) tellMessages(porter, record, actions);
  }
  porter.hint(session);
}
