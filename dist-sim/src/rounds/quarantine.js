/** Its files cannot be trusted: nothing of the session is read until an operator releases it. */
export function quarantine(porter, session, file, detail) {
    porter.registry.together(() => {
        porter.registry.setQuarantine(session, { file, detail, sinceMs: porter.clock.now() });
        porter.notices.raise('quarantined', session, textOf(session, file, detail));
    });
    porter.log.warn({ session, file, detail }, 'session quarantined');
}
function textOf(session, file, detail) {
    return `session ${session} is quarantined: ${file}: ${detail}; nothing of it is read any more. Remove what does not belong there, then "nightporter session release ${session}"`;
}
//# sourceMappingURL=quarantine.js.map