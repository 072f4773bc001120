import { DiskFull, NightporterError } from '../../protocol/errors.js';
/** The port as operations on session files; who carries them out, and where, is a subclass's. */
export class OperatedSessionFiles {
    create(session) {
        return this.ask(session, 'create', [session]);
    }
    async deliver(session, messages) {
        const outcome = await this.ask(session, 'deliver', [session, messages]);
        if (outcome.kind === 'ok' && outcome.lostFiles > 0) {
            this.lost(session, outcome.lostFiles);
        }
        return outcome;
    }
    look(session, { nowMs, lane, containerGone, replays = [] }) {
        return this.ask(session, 'look', [session, nowMs, containerGone === true, replays], lane);
    }
    change(session, changes) {
        return this.ask(session, 'change', [session, changes, this.now()]);
    }
    settle(session, step) {
        return this.ask(session, 'settle', [session, step]);
    }
    prepareStart(session, { nowMs, lane }) {
        return this.ask(session, 'prepareStart', [session, nowMs], lane);
    }
    replaceCorrupt(session, file) {
        return this.ask(session, 'replaceCorrupt', [session, file, this.now()]);
    }
    failed(session, limit, { purged } = { purged: false }) {
        return this.ask(session, 'failed', [session, limit, purged]);
    }
    message(session, id) {
        return this.ask(session, 'message', [session, id]);
    }
    states(session, ids) {
        return this.ask(session, 'states', [session, ids]);
    }
    purge(session, ids, nowMs) {
        return this.ask(session, 'purge', [session, ids, nowMs]);
    }
    replies(session, after, limit) {
        return this.ask(session, 'replies', [session, after, limit]);
    }
    series(session, series) {
        return this.ask(session, 'series', [session, series]);
    }
    occurrences(session, series, limit) {
        return this.ask(session, 'occurrences', [session, series, limit]);
    }
    changeSeries(session, change) {
        return this.ask(session, 'changeSeries', [session, change]);
    }
    readAttachment(session, part) {
        return this.ask(session, 'readAttachment', [session, part]);
    }
    removeMessageFiles(session, files) {
        return this.ask(session, 'removeMessageFiles', [session, files]);
    }
    remove(session) {
        return this.ask(session, 'remove', [session]);
    }
}
const DISK_FULL = /^(ENOSPC|EDQUOT|SQLITE_FULL)/;
/** An error of a child's as people see it. */
export function faultError(fault, what) {
    const cause = Object.assign(new Error(fault.message), { code: fault.code });
    const where = fault.path === undefined ? '' : ` (${fault.path})`;
    if (fault.code !== undefined && DISK_FULL.test(fault.code)) {
        return new DiskFull(`no space left for ${what}${where}: free some space; it is tried again`, { cause });
    }
    return new NightporterError('failed', `${what} failed${where}: ${fault.message}`, { cause });
}
//# sourceMappingURL=operated-session-files.js.map