/** Carries an expected outcome up to the edge of an operation; never leaves the child. */
export class Finding extends Error {
    outcome;
    constructor(outcome) {
        super(outcome.kind);
        this.name = 'Finding';
        this.outcome = outcome;
    }
}
export function missing() {
    return new Finding({ kind: 'missing' });
}
export function busy(file, detail) {
    return new Finding({ kind: 'busy', file, detail });
}
export function hostile(file, detail) {
    return new Finding({ kind: 'hostile', file, detail });
}
export function corrupt(file, detail, signature) {
    return new Finding({ kind: 'corrupt', file, detail, signature });
}
/** Runs an operation; what it finds wrong with the files becomes its outcome, faults of the machine are thrown. */
export function outcomeOf(work) {
    try {
        return { ...work(), kind: 'ok' };
    }
    catch (error) {
        if (error instanceof Finding)
            return error.outcome;
        throw error;
    }
}
/** The `code` of a system or SQLite error. */
export function codeOf(error) {
    if (!(error instanceof Error) || !('code' in error))
        return undefined;
    return typeof error.code === 'string' ? error.code : undefined;
}
//# sourceMappingURL=finding.js.map