import { join } from 'node:path';
import { splitAddress } from '../../protocol/address.js';
import { HEARTBEAT_FILE, HOST_FOLDER, IN_FOLDER, INBOUND_FILE, INBOX_FOLDER, OUT_FOLDER, OUTBOUND_FILE, OUTBOX_FOLDER, } from '../../protocol/workspace.js';
/** Where a session's files are; `dataDir` absolute, the address validated before. Touches nothing. */
export function sessionPaths(dataDir, address) {
    const { group, session } = splitAddress(address);
    const sessions = join(dataDir, 'sessions');
    const groupFolder = `${sessions}/${group}`;
    const folder = `${groupFolder}/${session}`;
    const inFolder = `${folder}/${IN_FOLDER}`;
    const out = `${folder}/${OUT_FOLDER}`;
    return {
        sessions,
        group: groupFolder,
        session: folder,
        in: inFolder,
        inbound: `${inFolder}/${INBOUND_FILE}`,
        inbox: `${inFolder}/${INBOX_FOLDER}`,
        out,
        outbound: `${out}/${OUTBOUND_FILE}`,
        heartbeat: `${out}/${HEARTBEAT_FILE}`,
        outbox: `${out}/${OUTBOX_FOLDER}`,
        inboundLink: `${out}/${INBOUND_FILE}`,
        host: `${folder}/${HOST_FOLDER}`,
    };
}
//# sourceMappingURL=session-paths.js.map