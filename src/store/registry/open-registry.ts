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
import { life } from './life.js';
import { migrate, requireSchema } from './migrations.js';
import { notices } from './notices.js';
import { providers } from './providers.js';
import { sessions } from './sessions.js';
import { spool } from './spool.js';
import { summaries } from './summaries.js';
import { usage } from './usage.js';
import type { Registry } from '../../ports/registry.js';
import type { Connection } from './connection.js';

export const REGISTRY_FILE = 'registry.db';
const INSTALL_FACT = 'install';

export interface RegistryOptions {
  readonly dataDir: string;
  /**
   * `write`: makes data dir, file and schema; the caller holds the host lock. `read`: makes and changes nothing, also
   * beside a writer or after its crash; `not_found` where nothing was started yet.
   */
  readonly mode: 'read' | 'write';
}

/** Errors: NightporterError; `refused` when the schema is newer (or, for readers, older) than this version knows. */
export function openRegistry({ dataDir, mode }: RegistryOptions): Registry {
  return mode === 'write' ? openWritable(openDataDir(dataDir)) : openReadonly(requireDataDir(dataDir));
}

function openWritable(dataDir: string): Registry {
  const file = join(dataDir, REGISTRY_FILE);
  const connection = openForWriting(file);
  return composed(connection, dataDir, () => {
    migrate(connection, file);
  });
}

function openReadonly(dataDir: string): Registry {
  const file = join(dataDir, REGISTRY_FILE);
  const connection = openForReading(file);
  return composed(connection, dataDir, () => {
    requireSchema(connection, file);
  });
}

function composed(connection: Connection, dataDir: string, prepare: () => void): Registry {
  try {
    prepare();
    const stored = facts(connection);
    const install = installId(dataDir);
    // A copy of the data dir brings the original's id along.
    if (!connection.readonly && stored.readFact(INSTALL_FACT) !== install) stored.writeFact(INSTALL_FACT, install);
    return {
      install,
      file: join(dataDir, REGISTRY_FILE),
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
      ...life(connection),
      ...providers(connection),
      ...usage(connection),
      ...stored,
      close: () => {
        connection.close();
      },
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}
