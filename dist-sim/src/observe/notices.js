export function createNotices(registry, clock, log) {
    return {
        raise(kind, session, text) {
            try {
                const isNew = registry.raise({ kind, session, text, atMs: clock.now() });
                if (isNew)
                    log.warn({ notice: kind, session, text }, 'notice');
                return true;
            }
            catch (err) {
                log.error({ err, notice: kind, session, text }, 'notice could not be recorded');
                return false;
            }
        },
        settle(kind, session) {
            try {
                if (registry.settleNotice(kind, session))
                    log.info({ notice: kind, session }, 'notice settled');
            }
            catch (err) {
                log.error({ err, notice: kind, session }, 'notice could not be settled');
            }
        },
    };
}
//# sourceMappingURL=notices.js.map