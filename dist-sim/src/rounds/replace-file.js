import { planReplaced } from '../core/plan/settle.js';
import { changesOf, isMessageAction, tellMessages } from './message-actions.js';
/** Moves a corrupt file aside and makes a fresh one; what was unfinished is tried again, with one try spent. */
export async function replaceFile(porter, record, one, file, detail) {
    const session = record.address;
    const outcome = await porter.files.replaceCorrupt(session, file);
    if (outcome.kind !== 'ok')
        return;
    one.corrupt = null;
    porter.notices.raise('replaced_corrupt_file', session, `${file} of ${session} was corrupt (${detail}); it is kept as ${outcome.movedTo} and a fresh one was made`);
    porter.log.warn({ session, file, detail, movedTo: outcome.movedTo }, 'corrupt file replaced');
    const plan = planReplaced(outcome.unfinished, porter.policy(record), porter.clock.now());
    const actions = plan.filter(isMessageAction);
    if (actions.length > 0) {
        const changed = await porter.files.change(session, changesOf(actions));
        if (changed.kind === 'ok' && changed.written)
            tellMessages(porter, record, actions);
    }
    porter.hint(session);
}
//# sourceMappingURL=replace-file.js.map