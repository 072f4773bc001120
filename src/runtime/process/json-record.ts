import { readFile } from 'node:fs/promises';
import type { ProcessIdentity } from './process-identity.js';

export type JsonRecord = Readonly<Record<string, unknown>>;

/** Undefined for what is no JSON object. */
export function parseRecord(text: string): JsonRecord | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? (found as JsonRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined where there is no such file, or none that makes sense (torn by a power failure). */
export async function readRecord(file: string): Promise<JsonRecord | undefined> {
  try {
    return parseRecord(await readFile(file, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function identityOf(value: unknown): ProcessIdentity | undefined {
  const { bootId, pid, start } = (typeof value === 'object' && value !== null ? value : {}) as JsonRecord;
  if (typeof bootId !== 'string' || typeof start !== 'string') return undefined;
  return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 1 ? { bootId, pid, start } : undefined;
}

export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
