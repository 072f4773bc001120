import { readFileSync, writeFileSync } from 'node:fs';

export const ENDLESS_SELECT =
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS message_id FROM n';

const SUPER_JOURNAL = Buffer.from('d9d505f920a163d7', 'hex');

/** A rollback journal that names a super-journal: to roll it back is to delete that file. */
export function superJournal(path: string): Buffer {
  const name = Buffer.from(`${path}\0`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  return Buffer.concat([SUPER_JOURNAL, Buffer.alloc(504), name, length, Buffer.alloc(4), SUPER_JOURNAL]);
}

/** The header says WAL; beside it lies what would kill a reader that maps it. */
export function setWalHeader(path: string): void {
  const bytes = readFileSync(path);
  bytes[18] = 2;
  bytes[19] = 2;
  writeFileSync(path, bytes);
  writeFileSync(`${path}-wal`, '');
  writeFileSync(`${path}-shm`, '');
}
