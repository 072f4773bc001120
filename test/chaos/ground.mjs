import { execFileSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const DISK_MIB = 64;
const CHUNKS_BYTES = [1024 * 1024, 4096, 1];

/** Why no small disk can be had here; undefined: it can. */
export function whyNoDisk() {
  if (process.platform !== 'linux') return 'it mounts a tmpfs, and this is not Linux';
  if (process.getuid() !== 0) return 'it mounts a tmpfs, which takes root';
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'it mounts a tmpfs, and this machine does not let root mount (a container without the right to?)';
  }
}

/** Where a run takes place: a folder with a small tmpfs in it. What must survive a full disk lies beside that. */
export class Ground {
  root = mkdtempSync(join(tmpdir(), 'np-chaos-'));
  disk = join(this.root, 'disk');
  dataDir = join(this.disk, 'data');
  configFile = join(this.root, 'config.yaml');
  ledgerFile = join(this.root, 'ledger.ndjson');
  #ballast;

  constructor() {
    mkdirSync(this.disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(DISK_MIB)}m,mode=0755`, 'nightporter-chaos', this.disk]);
    this.#ballast = openSync(join(this.disk, 'ballast'), 'w');
  }

  /** To the last byte; again and again, because whoever deletes something makes room. */
  fill() {
    for (const bytes of CHUNKS_BYTES) {
      const chunk = Buffer.alloc(bytes);
      while (this.#write(chunk));
    }
  }

  free() {
    ftruncateSync(this.#ballast);
    closeSync(this.#ballast);
    this.#ballast = openSync(join(this.disk, 'ballast'), 'w');
  }

  /** For whoever wants to know what went wrong. */
  keepCopy() {
    const copy = join(this.root, 'kept');
    cpSync(this.dataDir, copy, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.sock') });
    return copy;
  }

  /** Throws where somebody still has a file of it open or runs in it. */
  unmount() {
    closeSync(this.#ballast);
    execFileSync('umount', [this.disk], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  remove() {
    for (const mounted of mountsBelow(this.root)) execFileSync('umount', ['-l', mounted], { stdio: 'ignore' });
    rmSync(this.root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  #write(chunk) {
    try {
      return writeSync(this.#ballast, chunk) === chunk.length;
    } catch (error) {
      if (error.code === 'ENOSPC') return false;
      throw error;
    }
  }
}

/** Innermost first. */
export function mountsBelow(folder) {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((path) => path?.startsWith(`${folder}/`))
    .reverse();
}
