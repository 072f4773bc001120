import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../desk/describe-error.js';
import type { ReplyView } from '../desk/views.js';
import { isName } from '../protocol/address.js';
import { attachmentNameProblem } from '../protocol/attachments.js';
import { NightporterError } from '../protocol/errors.js';
import type { DeskConnection, Output } from './context.js';
import { oneLine } from '../protocol/plain-text.js';

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CHUNK_BYTES = 256 * 1024;

export type SavedReply = Omit<ReplyView, 'attachments'> & {
  readonly attachments?: readonly { readonly name: string; readonly bytes: number; readonly path?: string }[];
};

/** Writes the attachments of answers to `<folder>/<answer id>/<name>`, and never elsewhere. */
export class AttachmentSaver {
  /** How many could not be saved: told on stderr, the others are saved all the same. */
  failed = 0;
  readonly #folder: string;
  readonly #session: string;
  readonly #output: Output;

  constructor(options: { readonly folder: string; readonly session: string; readonly output: Output }) {
    this.#folder = options.folder;
    this.#session = options.session;
    this.#output = options.output;
  }

  /** @throws NightporterError `unavailable`: to be asked again. */
  async save(desk: DeskConnection, reply: ReplyView): Promise<SavedReply> {
    for (const { name, why } of reply.refused ?? []) {
      const what = name === '' ? 'attachments' : `attachment ${JSON.stringify(oneLine(name))}`;
      this.#output.warn(`${what} of answer ${oneLine(reply.id)} left out: ${why}`);
    }
    if (reply.attachments === undefined) return reply;
    const attachments = [];
    for (const file of reply.attachments) {
      const path = await this.#saveOne(desk, reply.id, file.name);
      attachments.push(path === undefined ? file : { ...file, path });
    }
    return { ...reply, attachments };
  }

  async #saveOne(desk: DeskConnection, reply: string, name: string): Promise<string | undefined> {
    try {
      // It comes from where the answers come from: looked at again before it becomes a path.
      const problem = attachmentNameProblem(name);
      if (problem !== undefined) throw new NightporterError('refused', `its name is not safe: ${problem}`);
      const folder = await this.#folderOf(reply);
      const path = join(folder, name);
      await this.#write(desk, reply, name, folder, path);
      return path;
    } catch (error) {
      const { code, message } = describeError(error);
      if (code === 'unavailable') throw error;
      this.failed += 1;
      this.#output.warn(`attachment ${JSON.stringify(name)} of answer ${oneLine(reply)} not saved: ${message}`);
      return undefined;
    }
  }

  async #folderOf(reply: string): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const folder = join(this.#folder, folderName(reply));
    await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
      if (!isCode(error, 'EEXIST')) throw error;
    });
    if ((await lstat(folder)).isDirectory()) return folder;
    throw new NightporterError('failed', `${folder} is in the way and no folder: move it away`);
  }

  async #write(desk: DeskConnection, reply: string, name: string, folder: string, path: string): Promise<void> {
    const before = await hashOfFile(path);
    const { chunks } = await desk.api.attachment(this.#session, reply, name);
    // Whole or not there: it gets its name when all of it is written.
    const part = join(folder, `.${randomUUID()}`);
    const file = await open(part, CREATE, 0o600);
    try {
      const hash = createHash('sha256');
      try {
        for await (const chunk of chunks) {
          hash.update(chunk);
          if (before === undefined) await file.appendFile(chunk);
        }
      } finally {
        await file.close();
      }
      if (before === undefined) await takeName(part, path);
      else if (before !== hash.digest('hex')) throw inTheWay(path);
    } finally {
      await unlink(part).catch(() => undefined);
    }
  }
}

/** Names of answers are their agent's choice: one that is no safe name gets one of its own. */
function folderName(reply: string): string {
  return isName(reply) ? reply : `answer-${createHash('sha256').update(reply).digest('hex').slice(0, 16)}`;
}

/** Never over another file. */
async function takeName(part: string, path: string): Promise<void> {
  try {
    await link(part, path);
  } catch (error) {
    if (isCode(error, 'EEXIST')) throw inTheWay(path);
    if (!isCode(error, 'EPERM') && !isCode(error, 'ENOTSUP')) throw error;
    // A file system without hard links.
    if ((await hashOfFile(path)) !== undefined) throw inTheWay(path);
    await rename(part, path);
  }
}

/** undefined: there is nothing of this name. */
async function hashOfFile(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, READ);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    if (isCode(error, 'ELOOP') || isCode(error, 'ENXIO')) throw inTheWay(path);
    throw error;
  }
  try {
    if (!(await file.stat()).isFile()) throw inTheWay(path);
    const hash = createHash('sha256');
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(chunk.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

function inTheWay(path: string): NightporterError {
  return new NightporterError('failed', `${path} exists with other content: move it away, or save to another folder`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
