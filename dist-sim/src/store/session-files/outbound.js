import { OUTBOUND_SCHEMA } from '../../protocol/schema.js';
import { checkSchema } from './check-schema.js';
import { withDatabase } from './open-database.js';
const TABLES = ['messages_out', 'processing_ack', 'session_state', 'container_state'];
/** Reads outbound.db read-only, whoever may be writing it. undefined when it is absent or empty. */
export function readOutboundFile(settings, paths, work) {
    return withDatabase(settings, paths, 'outbound.db', 'read', (database) => work(database, checkSchema(database, 'outbound.db')));
}
/**
 * Works on outbound.db through a writing handle that is closed afterwards: only with no container running. A hot
 * journal is rolled back, missing tables are made. undefined when the file is absent.
 */
export function writeOutboundFile(settings, paths, work) {
    return withDatabase(settings, paths, 'outbound.db', 'write', (database) => {
        const shape = checkSchema(database, 'outbound.db');
        if (TABLES.every((table) => shape.has(table)))
            return work(database, shape);
        database
            .transaction(() => {
            database.exec(OUTBOUND_SCHEMA);
        })
            .immediate();
        return work(database, checkSchema(database, 'outbound.db'));
    });
}
//# sourceMappingURL=outbound.js.map