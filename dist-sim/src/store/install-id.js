import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
/**
 * Who this data dir is: 32 hex digits, of machine id, real path and inode. The same dir keeps its id; a copy, or the
 * same dir on another machine, has another one and leaves the original's containers alone (F19).
 */
export function installId(dataDir) {
    const path = realpathSync(dataDir);
    const inode = statSync(path, { bigint: true }).ino;
    const identity = JSON.stringify([machineId(), path, String(inode)]);
    return createHash('sha256').update(identity).digest('hex').slice(0, 32);
}
function machineId() {
    for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
        const text = readText(file).trim();
        if (/^[0-9a-f]{32}$/i.test(text))
            return text.toLowerCase();
    }
    return `host:${hostname()}`;
}
function readText(file) {
    try {
        return readFileSync(file, 'utf8');
    }
    catch {
        return '';
    }
}
//# sourceMappingURL=install-id.js.map