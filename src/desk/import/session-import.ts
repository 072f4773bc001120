import type { ForeignMessage, ImportedMessage, ImportedSession } from '../../core/import/foreign.js';
import { mapAnswer, mapMessage } from '../../core/import/messages.js';
import { nameOf } from '../../core/import/names.js';
import { isResumeKey, planSeries } from '../../core/import/series.js';
import type { SeriesPlan } from '../../core/import/series.js';
import type { Box, BoxFolder, FolderName, ImportRows, Nanoclaw, Read, Source } from '../../ports/nanoclaw.js';
import type { Desk } from '../desk.js';
import { NOTHING, NoteBook } from './import-view.js';
import type { ImportCounts } from './import-view.js';
import { requireRead } from './session-left.js';

export interface ImportWork {
  readonly desk: Desk;
  readonly nanoclaw: Nanoclaw;
  readonly source: Source;
  readonly dryRun: boolean;
}

/** The rows and files of one session, page by page. */
export class SessionImport {
  readonly notes = new NoteBook();
  readonly #work: ImportWork;
  readonly #session: ImportedSession;
  readonly #folder: FolderName;
  readonly #counts: Record<keyof ImportCounts, number> = { ...NOTHING };

  constructor(work: ImportWork, session: ImportedSession) {
    this.#work = work;
    this.#session = session;
    this.#folder = { group: session.from.group, session: session.from.id };
    if (session.renamedFrom !== null) {
      this.notes.add({
        kind: 'changed',
        reason: 'its name is another one here',
        of: session.renamedFrom,
      });
    }
  }

  get counts(): ImportCounts {
    return this.#counts;
  }

  async bring(): Promise<void> {
    const { nanoclaw, source } = this.#work;
    const opened = requireRead(await nanoclaw.openSession(source, this.#folder));
    if (opened.inbound.kind === 'there') {
      await this.#bringMessages();
      await this.#bringRouting();
    }
    if (opened.outbound.kind === 'refused') {
      this.notes.left(`all answers and claims: ${opened.outbound.why}`, 'outbound.db');
    } else if (opened.outbound.kind === 'there') {
      await this.#bringAnswers();
      await this.#bringState();
    }
  }

  async #bringMessages(): Promise<void> {
    const { nanoclaw, source, desk } = this.#work;
    const series = planSeries(requireRead(await nanoclaw.series(source)).rows);
    for (let after: number | null = Number.MIN_SAFE_INTEGER; after !== null;) {
      const page: Awaited<ReturnType<Nanoclaw['messages']>> = await nanoclaw.messages(
        source,
        after,
        desk.settings().messageMaxBytes,
      );
      const { rows, next } = requireRead(page);
      await this.#write({ messages: await this.#mapPage(rows, series) });
      after = next;
    }
  }

  async #mapPage(rows: readonly ForeignMessage[], series: SeriesPlan): Promise<readonly ImportedMessage[]> {
    const { desk } = this.#work;
    const boxes = await this.#boxes(
      'inbox',
      rows.flatMap(({ id }) => id ?? []),
    );
    const nowMs = desk.clock.now();
    const mapped: ImportedMessage[] = [];
    for (const row of rows) {
      const box = boxes.get(row.id ?? '');
      const { rows: made, notes } = mapMessage(row, {
        zone: this.#session.zone,
        nowMs,
        series,
        files: box?.files ?? [],
      });
      this.notes.add(...notes);
      mapped.push(...made);
      if (box !== undefined && made.length > 0) await this.#copyBox('inbox', box);
    }
    for (const { status, recurrence } of mapped) {
      this.#counts[status] += 1;
      if (recurrence !== null) this.#counts.series += 1;
    }
    return mapped;
  }

  async #bringAnswers(): Promise<void> {
    const { nanoclaw, source, desk } = this.#work;
    for (let after: number | null = Number.MIN_SAFE_INTEGER; after !== null;) {
      const page: Awaited<ReturnType<Nanoclaw['answers']>> = await nanoclaw.answers(
        source,
        after,
        desk.settings().messageMaxBytes,
      );
      if (page.kind === 'refused') {
        this.notes.left(`further answers: ${page.why}`, `row ${after}`);
        return;
      }
      const boxes = await this.#boxes(
        'outbox',
        page.rows.flatMap(({ id }) => id ?? []),
      );
      const answers = [];
      for (const answer of page.rows) {
        const { row, notes } = mapAnswer(answer);
        this.notes.add(...notes);
        if (row === null) continue;
        answers.push(row);
        const box = boxes.get(answer.id ?? '');
        if (box !== undefined) await this.#copyBox('outbox', box);
      }
      this.#counts.answers += answers.length;
      await this.#write({ answers });
      after = page.next;
    }
  }

  async #bringRouting(): Promise<void> {
    const read = await this.#work.nanoclaw.routing(this.#work.source);
    if (read.kind === 'refused') this.notes.left(`where its agent may write to: ${read.why}`, 'destinations');
    else if (!this.#work.dryRun) await this.#write({ routing: read.routing });
  }

  async #bringState(): Promise<void> {
    const read = await this.#work.nanoclaw.state(this.#work.source);
    if (read.kind === 'refused') {
      this.notes.left(`its provider's session ids: ${read.why}`, 'session_state');
      return;
    }
    const state = read.rows.filter(({ key }) => isResumeKey(key));
    this.#counts.resumeIds += state.length;
    await this.#write({ state });
  }

  async #boxes(box: Box, ids: readonly string[]): Promise<ReadonlyMap<string, BoxFolder>> {
    const { nanoclaw, source } = this.#work;
    const read = await nanoclaw.files(source, this.#folder, box, ids);
    if (read.kind === 'ok') return new Map(read.found.map((folder) => [folder.id, folder]));
    this.notes.left(`all files of its ${box}: ${read.why}`, box);
    return new Map();
  }

  async #copyBox(box: Box, { id, files, refused }: BoxFolder): Promise<void> {
    const { nanoclaw, source, dryRun } = this.#work;
    for (const { name, why } of refused) this.notes.left(`a file of its ${box}: ${why}`, `${id}/${name}`);
    for (const { name } of files) {
      const file = { fromId: id, toId: nameOf(id), name };
      const copied: Read<unknown> = dryRun
        ? { kind: 'ok' }
        : await nanoclaw.copyFile(source, this.#folder, this.#session.address, box, file);
      if (copied.kind === 'ok') this.#counts.files += 1;
      else this.notes.left(`a file of its ${box}: ${copied.why}`, `${id}/${name}`);
    }
  }

  async #write(rows: ImportRows): Promise<void> {
    const isEmpty = Object.values(rows).every((list: unknown) => Array.isArray(list) && list.length === 0);
    if (this.#work.dryRun || isEmpty) return;
    const { collisions } = requireRead(await this.#work.nanoclaw.write(this.#session.address, rows));
    for (const id of collisions) this.notes.left('a row whose id another one has', id);
  }
}
