import { mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from './data-dir.js';
import type { Finding } from './finding.js';
import { ok, problem } from './finding.js';

/** Of the doctor's own folders in the data dir. */
const PREFIX = 'doctor-';
/** A doctor that was killed leaves its folder; a younger one may be at work beside us. */
const LEFTOVER_AFTER_MS = 60 * 60_000;
const SAMPLE = Buffer.alloc(64 * 1024, 'nightporter');

/** A folder of the doctor's own in the data dir, deleted whatever comes of `work`. */
export async function inOwnFolder<T>(dataDir: string, work: (folder: string) => Promise<T>): Promise<T> {
  removeLeftovers(dataDir);
  const folder = mkdtempSync(join(dataDir, PREFIX));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Writes a file to the disk and reads it again. `skewMs`: its time against the clock. */
export async function tryWriting(
  dataDir: string,
): Promise<{ readonly finding: Finding; readonly skewMs: number | undefined }> {
  try {
    return await inOwnFolder(dataDir, async (folder) => {
      const file = join(folder, 'sample');
      const begunMs = performance.now();
      const handle = await open(file, 'w', 0o600);
      try {
        await handle.writeFile(SAMPLE);
        await handle.sync();
      } finally {
        await handle.close();
      }
      const tookMs = Math.round(performance.now() - begunMs);
      const skewMs = (await stat(file)).mtimeMs - Date.now();
      const isSame = SAMPLE.equals(await readFile(file));
      if (!isSame) return { finding: problem('a file reads otherwise than it was written', DISK_BROKEN), skewMs };
      return { finding: ok(`64 KiB are on disk after ${tookMs} ms`), skewMs: Math.trunc(skewMs / 1000) * 1000 };
    });
  } catch (error) {
    return { finding: cannotWrite(dataDir, codeOf(error)), skewMs: undefined };
  }
}

const DISK_BROKEN = 'check the disk (dmesg, fsck, smartctl), and move the data dir to a sound one';

function cannotWrite(dataDir: string, code: string): Finding {
  const found = `nothing can be written to ${dataDir} (${code})`;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return problem(found, 'free some space or raise the quota; what waits goes on by itself then');
    case 'EROFS':
      return problem(found, 'mount the file system read-write');
    case 'EIO':
      return problem(found, DISK_BROKEN);
    default:
      return problem(found, 'run this as the user who owns the data dir, or give it to this one');
  }
}

export function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // as far as it is known
  }
}

function removeLeftovers(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(dataDir, name);
    const stats = statSync(folder, { throwIfNoEntry: false });
    if (stats?.isDirectory() !== true || Date.now() - stats.mtimeMs < LEFTOVER_AFTER_MS) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}
