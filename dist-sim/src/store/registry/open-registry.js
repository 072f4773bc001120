import { join } from 'node:path';
import { openDataDir, requireDataDir } from '../data-dir.js';
import { installId } from '../install-id.js';
import { batches } from './batches.js';
import { openForReading, openForWriting } from './connection.js';
import { deadLetters } from './dead-letters.js';
import { due } from './due.js';
import { facts } from './facts.js';
import { guards } from './guards.js';
import { incarnations } from './incarnations.js';
import { migrate, requireSchema } from './migrations.js';
import { notices } from './notices.js';
import { sessions } from './sessions.js';
import { spool } from './spool.js';
import { summaries } from './summaries.js';
export const REGISTRY_FILE = 'registry.db';
const INSTALL_FACT = 'install';
/** Errors: NightporterError; `refused` when the schema is newer (or, for readers, older) than this version knows. */
export function openRegistry({ dataDir, mode }) {
    return mode === 'write' ? openWritable(openDataDir(dataDir)) : openReadonly(requireDataDir(dataDir));
}
function openWritable(dataDir) {
    const file = join(dataDir, REGISTRY_FILE);
    const connection = openForWriting(file);
    return composed(connection, dataDir, () => {
        migrate(connection, file);
    });
}
function openReadonly(dataDir) {
    const file = join(dataDir, REGISTRY_FILE);
    const connection = openForReading(file);
    return composed(connection, dataDir, () => {
        requireSchema(connection, file);
    });
}
function composed(connection, dataDir, prepare) {
    try {
        prepare();
        const stored = facts(connection);
        const install = installId(dataDir);
        // A copy of the data dir brings the original's id along.
        if (!connection.readonly && stored.readFact(INSTALL_FACT) !== install)
            stored.writeFact(INSTALL_FACT, install);
        return {
            install,
            readonly: connection.readonly,
            together: (work) => connection.write(work),
            ...sessions(connection),
            ...summaries(connection),
            ...spool(connection),
            ...batches(connection),
            ...due(connection),
            ...incarnations(connection),
            ...guards(connection),
            ...notices(connection),
            ...deadLetters(connection),
            ...stored,
            close: () => {
                connection.close();
            },
        };
    }
    catch (error) {
        connection.close();
        throw error;
    }
}
//# sourceMappingURL=open-registry.js.map