import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { byteSignature } from './file-signature.js';
import { busy, codeOf, corrupt, Finding, hostile } from './finding.js';
const BUSY = /^SQLITE_(BUSY|LOCKED|PROTOCOL|READONLY_(ROLLBACK|RECOVERY|CANTLOCK|CANTINIT)|IOERR_SHORT_READ|NOMEM|IOERR_NOMEM)/;
const CORRUPT = /^SQLITE_(NOTADB|CORRUPT)/;
const NOT_OPENED = /^SQLITE_(CANTOPEN|READONLY|PERM)/;
/** What SQLite says of tables that are not shaped as they must be. */
const STRUCTURE = /^SQLITE_(ERROR|SCHEMA|TOOBIG|AUTH|MISMATCH|RANGE|FORMAT|CONSTRAINT)/;
/** A fault of the machine, not of the session: disk full, no permission, a read error. */
export class FileFault extends Error {
    code;
    path;
    constructor(code, path, cause) {
        super(cause.message, { cause });
        this.name = 'FileFault';
        this.code = code;
        this.path = path;
    }
}
/** An error from work on a session's database, as what it says of the file, or as a fault of the machine. */
export function findingOf(error, path, file, access) {
    if (error instanceof Finding || error instanceof FileFault)
        return error;
    const code = codeOf(error);
    if (code === undefined || !(error instanceof Error))
        return error;
    if (!code.startsWith('SQLITE_'))
        return new FileFault(code, path, error);
    if (BUSY.test(code))
        return busy(file, code);
    if (CORRUPT.test(code))
        return corrupt(file, `${code}: ${error.message}`, byteSignature(path));
    if (NOT_OPENED.test(code))
        return refusalOf(path, access) ?? busy(file, code);
    if (STRUCTURE.test(code) && file === 'outbound.db')
        return hostile(file, `${code}: ${error.message.slice(0, 200)}`);
    return new FileFault(code, path, error);
}
/** SQLite does not say why it could not open a file; the system does. undefined: it may by now. */
function refusalOf(path, access) {
    const mode = access === 'write' ? constants.R_OK | constants.W_OK : constants.R_OK;
    try {
        accessSync(path, mode);
        if (access === 'write')
            accessSync(dirname(path), constants.W_OK | constants.X_OK);
        return undefined;
    }
    catch (error) {
        const code = codeOf(error);
        if (code === undefined || code === 'ENOENT' || !(error instanceof Error))
            return undefined;
        return new FileFault(code, path, error);
    }
}
//# sourceMappingURL=sqlite-fault.js.map