import Database from 'better-sqlite3';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryCondition } from '../../ports/examination.js';
import { openForReading } from '../registry/connection.js';
import { REGISTRY_FILE } from '../registry/open-registry.js';
import { findFolderDrift } from './folder-drift.js';

const COMPLAINTS_MAX = 10;

/** What the examining child can be asked; synchronous. */
export function operationsOf(dataDir: string) {
  const registryFile = join(dataDir, REGISTRY_FILE);
  return {
    sqlite: (): string => {
      const db = new Database(':memory:');
      try {
        return String(db.prepare('SELECT sqlite_version()').pluck().get());
      } finally {
        db.close();
      }
    },
    registry: (): RegistryCondition => {
      const connection = openForReading(registryFile);
      try {
        const rows = connection.read(() => connection.db.pragma(`quick_check(${COMPLAINTS_MAX})`)) as readonly {
          readonly quick_check: string;
        }[];
        const complaints = rows.map((row) => row.quick_check).filter((text) => text !== 'ok');
        return { bytes: statSync(registryFile).size, complaints };
      } finally {
        connection.close();
      }
    },
    folders: (nowMs: number) => {
      const connection = openForReading(registryFile);
      try {
        return connection.read(() => findFolderDrift(connection.db, join(dataDir, 'sessions'), nowMs));
      } finally {
        connection.close();
      }
    },
  };
}

export type Operations = ReturnType<typeof operationsOf>;
