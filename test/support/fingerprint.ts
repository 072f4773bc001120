import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { withFile } from './played-runners.js';

/**
 * Of all that a host leaves to the next one: rows of its registry as others see them, bytes of its session files, and
 * whatever else is given. Two hosts that leave the same are followed by the same.
 */
export function fingerprint(dataDir: string, ...others: readonly unknown[]): string {
  const hash = createHash('sha256');
  const registry = join(dataDir, 'registry.db');
  if (existsSync(registry)) hash.update(withFile(registry, { readonly: true }, rowsOf));
  addFolder(hash, join(dataDir, 'sessions'));
  return hash.update(JSON.stringify(others)).digest('hex');
}

function rowsOf(db: Database.Database): string {
  const tables = db
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .pluck()
    .all();
  const rows = tables.map((table) => [table, db.prepare(`SELECT * FROM "${table}"`).raw().all()]);
  return JSON.stringify(rows, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function addFolder(hash: ReturnType<typeof createHash>, folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    hash.update(`\n${path}\n`);
    if (entry.isDirectory()) addFolder(hash, path);
    else if (entry.isSymbolicLink()) hash.update(readlinkSync(path));
    else hash.update(entry.name.endsWith('.db') ? readFileSync(path) : String(statSync(path).size));
  }
}
