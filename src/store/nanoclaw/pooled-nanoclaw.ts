import { randomUUID } from 'node:crypto';
import type { DatabaseState, FolderName, Nanoclaw, Read, Refused, Source } from '../../ports/nanoclaw.js';
import type { SessionAddress } from '../../protocol/address.js';
import { DiskFull, NightporterError } from '../../protocol/errors.js';
import { faultError } from '../session-files/operated-session-files.js';
import type { CallEnd } from '../worker/file-child.js';
import type { CopyProgress, CopyStep } from './copy-aside.js';
import type { NanoclawOperations } from './operations.js';

type Name = keyof NanoclawOperations;
type Run = (operation: Name, params: readonly unknown[]) => Promise<CallEnd>;
type Databases = 'inbound' | 'outbound';

/** Carried out by file workers: what is read there may hang or crash them, and costs no more than the call. */
export class PooledNanoclaw implements Nanoclaw {
  readonly #run: Run;
  /** Of the import under way. */
  #current: string | undefined;

  constructor(run: Run) {
    this.#run = run;
  }

  async begin(folder: string): ReturnType<Nanoclaw['begin']> {
    if (this.#current !== undefined) return { kind: 'busy', why: 'another import is under way: wait for its end' };
    const id = randomUUID();
    this.#current = id;
    try {
      const root = await this.#require('nanoclawFind', [folder]);
      if (root === null) {
        this.#current = undefined;
        return { kind: 'not_found', why: `${folder} is no installation of NanoClaw v2: it has no data/v2.db` };
      }
      const source = { id, root };
      await this.#require('nanoclawClean', []);
      const copied = await this.#copy((step) => this.#try('nanoclawCopyCentral', [source, step]));
      if (copied.kind === 'refused') await this.end(source);
      return copied.kind === 'refused' ? copied : { kind: 'ok', source };
    } catch (error) {
      this.#current = undefined;
      throw error;
    }
  }

  async end({ id }: Source): Promise<void> {
    if (this.#current !== id) return;
    try {
      await this.#require('nanoclawClean', []);
    } finally {
      this.#current = undefined;
    }
  }

  async clean(): ReturnType<Nanoclaw['clean']> {
    if (this.#current !== undefined) return 'busy';
    // In the lane of the one child that all calls here share: those of an import that begins meanwhile wait.
    await this.#require('nanoclawClean', []);
    return 'cleaned';
  }

  groups(source: Source): ReturnType<Nanoclaw['groups']> {
    return this.#try('nanoclawGroups', [source]);
  }

  sessions(source: Source, after: number): ReturnType<Nanoclaw['sessions']> {
    return this.#try('nanoclawSessions', [source, after]);
  }

  folders(source: Source, most: number): ReturnType<Nanoclaw['folders']> {
    return this.#try('nanoclawFolders', [source, most]);
  }

  async openSession(source: Source, session: FolderName): ReturnType<Nanoclaw['openSession']> {
    const inbound = await this.#openOne(source, session, 'inbound');
    if (inbound.kind === 'refused') return inbound;
    const outbound = await this.#openOne(source, session, 'outbound');
    if (outbound.kind === 'refused') {
      const forgotten = await this.#try('nanoclawForget', [source, 'outbound']);
      if (forgotten.kind === 'refused') return forgotten;
    }
    return { kind: 'ok', inbound: inbound.state, outbound: outbound.kind === 'ok' ? outbound.state : outbound };
  }

  series(source: Source): ReturnType<Nanoclaw['series']> {
    return this.#try('nanoclawSeries', [source]);
  }

  messages(source: Source, after: number, contentMaxBytes: number): ReturnType<Nanoclaw['messages']> {
    return this.#try('nanoclawMessages', [source, after, contentMaxBytes]);
  }

  answers(source: Source, after: number, contentMaxBytes: number): ReturnType<Nanoclaw['answers']> {
    return this.#try('nanoclawAnswers', [source, after, contentMaxBytes]);
  }

  state(source: Source): ReturnType<Nanoclaw['state']> {
    return this.#try('nanoclawState', [source]);
  }

  routing(source: Source): ReturnType<Nanoclaw['routing']> {
    return this.#try('nanoclawRouting', [source]);
  }

  files(...params: Parameters<Nanoclaw['files']>): ReturnType<Nanoclaw['files']> {
    return this.#try('nanoclawFiles', params);
  }

  async copyFile(...[source, from, to, box, file]: Parameters<Nanoclaw['copyFile']>): ReturnType<Nanoclaw['copyFile']> {
    for (let offset = 0; ;) {
      const part = await this.#try('nanoclawCopyFile', [source, from, to, box, file, offset]);
      if (part.kind === 'refused') return part;
      if (part.next === null) return { kind: 'ok' };
      offset = part.next;
    }
  }

  prepare(...params: Parameters<Nanoclaw['prepare']>): ReturnType<Nanoclaw['prepare']> {
    return this.#try('nanoclawPrepare', params);
  }

  write(...params: Parameters<Nanoclaw['write']>): ReturnType<Nanoclaw['write']> {
    return this.#try('nanoclawWrite', params);
  }

  messageIds(...params: Parameters<Nanoclaw['messageIds']>): ReturnType<Nanoclaw['messageIds']> {
    return this.#try('nanoclawMessageIds', params);
  }

  async place(session: SessionAddress): ReturnType<Nanoclaw['place']> {
    for (let more = true; more;) {
      const numbered = await this.#try('nanoclawNumber', [session]);
      if (numbered.kind === 'refused') return numbered;
      more = numbered.more;
    }
    return this.#try('nanoclawPlace', [session]);
  }

  drop(...params: Parameters<Nanoclaw['drop']>): ReturnType<Nanoclaw['drop']> {
    return this.#try('nanoclawDrop', params);
  }

  async #openOne(
    source: Source,
    session: FolderName,
    file: Databases,
  ): Promise<Read<{ readonly state: DatabaseState }>> {
    const copied = await this.#copy((step) => this.#try('nanoclawCopySession', [source, session, file, step]));
    if (copied.kind === 'refused') return { kind: 'refused', why: `${file}.db: ${copied.why}` };
    const checked = await this.#try('nanoclawCheck', [source, file]);
    if (checked.kind === 'refused') return { kind: 'refused', why: `${file}.db: ${checked.why}` };
    return { kind: 'ok', state: { kind: copied.bytes === null ? 'absent' : 'there' } };
  }

  async #copy(
    copyOn: (step: CopyStep | null) => Promise<Read<CopyProgress>>,
  ): Promise<Read<{ readonly bytes: number | null }>> {
    for (let step: CopyStep | null = null; ;) {
      const progress: Read<CopyProgress> = await copyOn(step);
      if (progress.kind === 'refused') return progress;
      if (progress.done) return { kind: 'ok', bytes: progress.bytes };
      step = progress.step;
    }
  }

  /** What goes wrong with a call concerns what it was asked about; a full disk everything. */
  async #try<N extends Name>(
    name: N,
    params: Parameters<NanoclawOperations[N]>,
  ): Promise<ReturnType<NanoclawOperations[N]> | Refused> {
    const end = await this.#run(name, params);
    if (end.kind === 'result') return end.value as ReturnType<NanoclawOperations[N]>;
    if (end.kind !== 'fault') return { kind: 'refused', why: `it ended a file worker (${end.detail})` };
    const error = faultError(end.fault, 'importing it');
    if (error instanceof DiskFull) throw new DiskFull('no space left: free some space', { cause: error.cause });
    return { kind: 'refused', why: error.message };
  }

  async #require<N extends Name>(
    name: N,
    params: Parameters<NanoclawOperations[N]>,
  ): Promise<ReturnType<NanoclawOperations[N]>> {
    const end = await this.#run(name, params);
    if (end.kind === 'result') return end.value as ReturnType<NanoclawOperations[N]>;
    if (end.kind === 'fault') throw faultError(end.fault, 'importing');
    throw new NightporterError(
      'failed',
      `importing was cut short (${end.detail}): run it again, it goes on where it was`,
    );
  }
}
