import { NightporterError } from '../protocol/errors.js';
import { requireAddress } from './input-texts.js';
/** @throws NightporterError `usage` (no address), `not_found` */
export function requireSession(desk, text) {
    const { address } = requireAddress(text);
    const record = desk.registry.findSession(address);
    if (record !== undefined)
        return record;
    const twin = desk.registry.findCaseTwin(address);
    const hint = twin === undefined ? '"nightporter session list" shows those that exist' : `did you mean ${twin}?`;
    throw new NightporterError('not_found', `there is no session ${address}: ${hint}`);
}
/** Nothing of a quarantined session's files is read. @throws NightporterError `refused` */
export function requireTrusted(record) {
    const { quarantine, address } = record;
    if (quarantine === null)
        return;
    throw new NightporterError('refused', explainQuarantine(address, quarantine));
}
export function explainQuarantine(session, finding) {
    return `session ${session} is quarantined (${finding.file}: ${finding.detail}): look at its files, then "nightporter session release ${session}"`;
}
//# sourceMappingURL=require-session.js.map