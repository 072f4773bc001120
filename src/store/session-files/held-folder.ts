import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { codeOf } from './finding.js';

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Linux's O_PATH: it takes no right to the folder itself. Node has no name for it. */
const PLACE_FLAGS = 0o10000000 | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const OWNERS_RIGHTS = 0o700;
const DESCRIPTORS = '/proc/self/fd';
const hasDescriptors = existsSync(DESCRIPTORS);

/**
 * A folder that is held open. What is in it is reached through the descriptor: whatever somebody who may write there moves,
 * links or exchanges meanwhile, no path leads outside. Where a system has no /proc, real paths are compared instead.
 */
export class HeldFolder {
  readonly #descriptor: number;
  readonly #real: string;

  private constructor(descriptor: number, real: string) {
    this.#descriptor = descriptor;
    this.#real = real;
  }

  /** Through a path whose parents only the host may change. undefined: it is not there, or it is a link or no folder. */
  static open(path: string): HeldFolder | undefined {
    const descriptor = tryOpen(path, FOLDER_FLAGS);
    return descriptor === undefined
      ? undefined
      : new HeldFolder(descriptor, hasDescriptors ? path : realpathSync(path));
  }

  /** To be used at once, with calls that follow no link at its end. `name`: a single part of a path. */
  path(name: string | Buffer): string | Buffer {
    const folder = hasDescriptors ? `${DESCRIPTORS}/${String(this.#descriptor)}` : this.#real;
    return typeof name === 'string' ? `${folder}/${name}` : Buffer.concat([Buffer.from(`${folder}/`), name]);
  }

  /** The folder itself, to be listed. */
  get own(): string {
    return hasDescriptors ? `${DESCRIPTORS}/${String(this.#descriptor)}/.` : this.#real;
  }

  find(name: string | Buffer): Stats | undefined {
    try {
      return lstatSync(this.path(name), { throwIfNoEntry: false });
    } catch (error) {
      if (codeOf(error) === 'ENAMETOOLONG') return undefined;
      throw error;
    }
  }

  folder(name: string | Buffer): HeldFolder | undefined {
    const descriptor = this.#openChild(name, FOLDER_FLAGS);
    return descriptor === undefined ? undefined : new HeldFolder(descriptor, `${this.#real}/${String(name)}`);
  }

  /** A descriptor, to be closed by the caller. undefined: it is gone, or a link. */
  file(name: string): number | undefined {
    return this.#openChild(name, FILE_FLAGS);
  }

  /** Gives its owner all rights to it. Nothing where it is somebody else's. */
  unlock(): void {
    if ((fstatSync(this.#descriptor).mode & OWNERS_RIGHTS) === OWNERS_RIGHTS) return;
    unlessForbidden(() => {
      fchmodSync(this.#descriptor, OWNERS_RIGHTS);
    });
  }

  /** The same for a folder in it, which need not be readable; a link is not followed. Nothing where a system has no /proc. */
  unlockFolder(name: string | Buffer): void {
    const descriptor = hasDescriptors ? tryOpen(this.path(name), PLACE_FLAGS) : undefined;
    if (descriptor === undefined) return;
    try {
      unlessForbidden(() => {
        chmodSync(`${DESCRIPTORS}/${String(descriptor)}`, OWNERS_RIGHTS);
      });
    } finally {
      closeSync(descriptor);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #openChild(name: string | Buffer, flags: number): number | undefined {
    const descriptor = tryOpen(this.path(name), flags);
    if (descriptor === undefined || hasDescriptors) return descriptor;
    if (realpathSync(this.path(name)) === `${this.#real}/${String(name)}`) return descriptor;
    closeSync(descriptor);
    return undefined;
  }
}

function tryOpen(path: string | Buffer, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO', 'ENAMETOOLONG'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Works on a folder in another one: once more with its owner's rights, where whoever made it took them away. */
export function unlocked<T>(parent: HeldFolder, name: string | Buffer, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isForbidden(error)) throw error;
    parent.unlockFolder(name);
    return work();
  }
}

export function isForbidden(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(codeOf(error) ?? '');
}

function unlessForbidden(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
}

/** At most so many of a folder's names, as the bytes that they are, in no order. */
export function namesIn(folder: HeldFolder, most: number): Buffer[] {
  const names: Buffer[] = [];
  for (const name of eachName(folder)) {
    if (names.length >= most) break;
    names.push(name);
  }
  return names;
}

/** A folder's names one by one, as the bytes that they are, in no order. */
export function* eachName(folder: HeldFolder): Generator<Buffer, void> {
  // `encoding: 'buffer'` is missing in the types of what opendir gives.
  const handle = opendirSync(folder.own, { encoding: 'buffer' as BufferEncoding });
  try {
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync()) yield Buffer.from(entry.name);
  } finally {
    handle.closeSync();
  }
}
