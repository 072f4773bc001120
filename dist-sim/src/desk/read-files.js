import { NightporterError } from '../protocol/errors.js';
/** How long an operator waits for a file that its container holds. */
const PATIENCE_MS = 2_000;
const PAUSE_MS = 100;
/** Asks again while a file is busy, for 2 s at most. */
export async function whileBusy(desk, ask) {
    const deadline = desk.clock.monotonic() + PATIENCE_MS;
    for (;;) {
        const outcome = await ask();
        if (outcome.kind !== 'busy' || desk.clock.monotonic() >= deadline)
            return outcome;
        await new Promise((resolve) => {
            desk.clock.after(PAUSE_MS, resolve);
        });
    }
}
/** An outcome that leaves nothing to answer with. */
export function troubleOf(session, trouble) {
    switch (trouble.kind) {
        case 'busy':
            return new NightporterError('failed', `${trouble.file} of ${session} is locked (${trouble.detail}): its container holds it, try again in a moment`);
        case 'hostile':
            return new NightporterError('refused', `${trouble.file} of ${session} is not opened (${trouble.detail}): the next round quarantines the session; look at the file`);
        case 'corrupt':
            return new NightporterError('failed', `${trouble.file} of ${session} is damaged (${trouble.detail}): the next rounds move it aside and make a fresh one`);
        case 'missing':
            return new NightporterError('failed', `the folder of ${session} is missing: the next message makes a new one; restore it from a backup if it had answers`);
    }
}
//# sourceMappingURL=read-files.js.map