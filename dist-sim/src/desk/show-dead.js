import { NightporterError } from '../protocol/errors.js';
import { formatInstant } from '../protocol/times.js';
import { reasonOf } from './find-dead.js';
import { quoted } from './input-texts.js';
import { instantOrNull } from './list-sessions.js';
import { troubleOf, whileBusy } from './read-files.js';
import { parseContent } from './read-replies.js';
import { requireSession, requireTrusted } from './require-session.js';
const OUTPUT_MAX_BYTES = 64 * 1024;
/**
 * A message with its content and how each of its attempts ended; one that is not dead (any more) too.
 * @throws NightporterError `usage`, `not_found`, `refused` (quarantined), `failed` (files locked or damaged)
 */
export async function showDead(desk, session, id) {
    const record = requireSession(desk, session);
    requireTrusted(record);
    const { address } = record;
    const outcome = await whileBusy(desk, () => desk.files.message(address, id));
    if (outcome.kind !== 'ok' && outcome.kind !== 'missing')
        throw troubleOf(address, outcome);
    const message = outcome.kind === 'ok' ? outcome.message : null;
    if (message === null) {
        throw new NightporterError('not_found', `there is no message ${quoted(id)} of ${address}: "nightporter dead list ${address}" shows the dead letters`);
    }
    const ends = desk.registry.turnEnds(address, message.id);
    const last = ends.findLast(({ attempt }) => attempt === message.attempt);
    const replay = desk.registry.replays(address).find((one) => one.id === message.id);
    return {
        session: address,
        id: message.id,
        status: message.status,
        kind: message.kind,
        timestamp: formatInstant(message.timestampMs),
        content: parseContent(message.content),
        ...(message.truncated ? { truncated: true } : {}),
        tries: message.tries,
        attempt: message.attempt,
        deferrals: message.deferrals,
        errorClass: message.errorClass,
        error: message.error,
        reason: message.status === 'failed' ? (last?.reason ?? reasonOf(message.errorClass)) : null,
        series: message.seriesId,
        occurrence: instantOrNull(message.occurrenceMs),
        finishedAt: instantOrNull(message.finishedAtMs),
        purgedAt: instantOrNull(message.purgedAtMs),
        replayRequestedAt: instantOrNull(replay?.requestedAtMs ?? null),
        ends: await viewsOfEnds(desk, record, ends),
        can: whatCanBeDone(record, message, replay !== undefined),
    };
}
async function viewsOfEnds(desk, { address }, ends) {
    const outputs = new Map();
    const views = ends.map(async (end) => {
        const incarnation = desk.registry.findIncarnation(address, end.epoch);
        const output = outputs.get(end.epoch) ?? outputOf(desk, incarnation);
        outputs.set(end.epoch, output);
        return {
            attempt: end.attempt,
            outcome: end.outcome,
            reason: end.reason,
            error: end.error,
            errorClass: end.errorClass,
            endedAt: formatInstant(end.endedAtMs),
            epoch: end.epoch,
            running: incarnation !== undefined && incarnation.stoppedAtMs === null,
            exitCode: incarnation?.exitCode ?? null,
            signal: incarnation?.signal ?? null,
            oomKilled: incarnation?.oomKilled ?? false,
            stopReason: incarnation?.stopReason ?? null,
            lastOutput: await output,
        };
    });
    return Promise.all(views);
}
/** What was kept of it, or what the container that still runs says; null where neither can be told. */
async function outputOf(desk, incarnation) {
    if (incarnation === undefined)
        return null;
    const { stoppedAtMs, containerId, output } = incarnation;
    if (stoppedAtMs !== null || containerId === null || desk.runtime === null)
        return output;
    try {
        return await desk.runtime.logs(containerId, OUTPUT_MAX_BYTES);
    }
    catch (error) {
        desk.log.debug({ err: error, session: incarnation.session }, 'output of a running container cannot be told');
        return output;
    }
}
function whatCanBeDone(record, message, isRequested) {
    const { address, status, heldSinceMs } = record;
    const name = `${address} ${/^[\w.-]+$/.test(message.id) ? message.id : `'${message.id.replaceAll("'", "'\\''")}'`}`;
    const release = heldSinceMs === null ? [] : [`nightporter session release ${address}: let the held session go on`];
    const resume = status === 'suspended' ? [`nightporter session resume ${address}: let its session go on`] : [];
    const reopen = status === 'closed' ? [`nightporter session reopen ${address}: open its session again`] : [];
    const session = [...reopen, ...resume, ...release];
    if (message.status !== 'failed' || isRequested)
        return session;
    const retry = `nightporter dead retry ${name}: try it again, as a new attempt with all its tries`;
    const purge = `nightporter dead purge ${name}: hide it from lists and counts`;
    return [...reopen, retry, ...(message.purgedAtMs === null ? [purge] : []), ...resume, ...release];
}
//# sourceMappingURL=show-dead.js.map