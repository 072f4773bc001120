import { tellDuplicates } from './message-actions.js';
const BATCH = 500;
/**
 * Moves accepted messages into the session's file, batch by batch; idempotent, so a crash between the file and the
 * registry only repeats it. Answers what kept it from being done, undefined when the spool is empty.
 */
export async function deliverSpool(porter, session, one, pass) {
    for (;;) {
        const batch = porter.registry.spooled(session, BATCH);
        if (batch.length === 0)
            return undefined;
        const outcome = await porter.files.deliver(session, batch);
        if (outcome.kind !== 'ok') {
            porter.log.debug({ session, reason: outcome.kind, looks: one.busyLooks }, 'spool waits');
            return outcome;
        }
        tellDuplicates(porter, { address: session }, outcome.duplicates);
        porter.registry.unspool(session, batch.map((message) => message.id));
        pass.record({ session, action: 'deliver', reason: 'spooled', messages: batch.length });
    }
}
//# sourceMappingURL=deliver.js.map