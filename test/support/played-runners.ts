import { utimesSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Container } from '../../src/ports/runtime.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import { formatInstant } from '../../src/protocol/times.js';
import { sessionPaths } from '../../src/store/session-files/session-paths.js';
import type { FakeRuntime } from './fake-runtime.js';

/** How a runner ends a turn; null: it does not, its container goes on or ended in it. */
export type TurnOutcome = 'completed' | 'fatal' | 'retryable' | 'rate_limited';

export interface PlayedTurn {
  readonly session: SessionAddress;
  readonly message: string;
  readonly epoch: number;
  outcome: TurnOutcome | null;
}

/** What really happened to a host's sessions, told by those who did it; plain JSON. */
export interface Story {
  /** Messages that somebody was told are accepted. */
  readonly accepted: { readonly session: SessionAddress; readonly id: string }[];
  /** In the order of their claims. */
  readonly turns: PlayedTurn[];
  /** Replays asked for, with how many turns there had been by then. */
  readonly replayed: { readonly session: SessionAddress; readonly id: string; readonly afterTurns: number }[];
}

export function newStory(): Story {
  return { accepted: [], turns: [], replayed: [] };
}

/** Where runners are: the data dir with their files, the engine, the time. */
export interface Place {
  readonly dataDir: string;
  readonly runtime: FakeRuntime;
  readonly clock: { now(): number };
}

export interface Parts {
  /** What the turns of a message come to, first to last; every further one completes. `dies`: its container ends in it. */
  readonly turns?: Readonly<Record<string, readonly (TurnOutcome | 'dies')[]>>;
  /** How many containers of a session end before they claim. */
  readonly fruitless?: Readonly<Record<string, number>>;
  /** Sessions whose runners know neither attempts nor incarnations. */
  readonly foreign?: readonly string[];
}

interface Claimable {
  readonly id: string;
  readonly attempt: number;
}

/** Plays what runs in containers, a step at a time, and keeps their story. */
export class PlayedRunners {
  readonly story: Story;
  readonly #parts: Parts;

  constructor(story: Story, parts: Parts = {}) {
    this.story = story;
    this.#parts = parts;
  }

  /** Each running container ends the turn that it has, then takes the next one that is due, or exits. */
  step(place: Place): void {
    for (const container of newestOfEach(place.runtime.containers())) this.#stepOf(place, container);
  }

  /** The session's container claims a message now. */
  claim(place: Place, session: SessionAddress, id: string): void {
    const container = place.runtime.running(session);
    if (container === undefined) throw new Error(`no container of ${session} runs`);
    const found = claimable(place, session, this.#isForeign(session)).find((one) => one.id === id);
    if (found === undefined) throw new Error(`${id} of ${session} cannot be claimed`);
    this.#claim(place, container, found);
  }

  /** The session's container ends the turn that it had of a message. */
  end(place: Place, session: SessionAddress, id: string, outcome: TurnOutcome): void {
    const turn = this.story.turns.findLast((one) => one.session === session && one.message === id);
    if (turn === undefined) throw new Error(`${session} has no turn of ${id}`);
    this.#end(place, turn, outcome);
  }

  #stepOf(place: Place, container: Container & { readonly session: SessionAddress }): void {
    const { session, epoch } = container;
    const { turns } = this.story;
    const starts = new Set(place.runtime.started.filter(({ spec }) => spec.session === session).map(epochOfStart));
    if (starts.size <= (this.#parts.fruitless?.[session] ?? 0)) {
      place.runtime.exit(session, { exitCode: 1 });
      return;
    }
    beat(place, session);
    const own = turns.filter((turn) => turn.session === session && turn.epoch === epoch);
    const open = own.find(({ outcome }) => outcome === null);
    if (open !== undefined) {
      const nth = turns.filter((turn) => turn.session === session && turn.message === open.message).length;
      const outcome = this.#parts.turns?.[open.message]?.[nth - 1] ?? 'completed';
      if (outcome === 'dies') {
        place.runtime.exit(session, { exitCode: 1 });
        return;
      }
      this.#end(place, open, outcome);
    }
    const [first] = claimable(place, session, this.#isForeign(session));
    if (first !== undefined) this.#claim(place, container, first);
    // It has done what there was; one that found nothing at all is left to the host.
    else if (own.every(({ outcome }) => outcome !== null) && own.length > 0) place.runtime.exit(session);
  }

  #claim(place: Place, { session, epoch }: Pick<Container, 'session' | 'epoch'>, { id, attempt }: Claimable): void {
    if (session === undefined) return;
    this.story.turns.push({ session, message: id, epoch, outcome: null });
    this.#ack(place, session, id, 'processing', null, { attempt, epoch });
  }

  #end(place: Place, turn: PlayedTurn, outcome: TurnOutcome): void {
    turn.outcome = outcome;
    const status = outcome === 'completed' ? 'completed' : 'failed';
    this.#ack(place, turn.session, turn.message, status, outcome === 'completed' ? null : outcome, null);
  }

  /** `claim` null: its row is there, and only says how the turn ended. */
  #ack(
    place: Place,
    session: SessionAddress,
    id: string,
    status: string,
    errorClass: string | null,
    claim: { readonly attempt: number; readonly epoch: number } | null,
  ): void {
    const at = formatInstant(place.clock.now());
    const known = claim === null || this.#isForeign(session) ? null : claim;
    withFile(sessionPaths(place.dataDir, session).outbound, {}, (db) => {
      if (claim === null) {
        db.prepare(
          'UPDATE processing_ack SET status = ?, status_changed = ?, error = ?, error_class = ? WHERE message_id = ?',
        ).run(status, at, errorClass === null ? null : 'it says no', errorClass, id);
      } else {
        db.prepare(
          `INSERT OR REPLACE INTO processing_ack (message_id, status, status_changed, attempt, incarnation)
           VALUES (?, ?, ?, ?, ?)`,
        ).run(id, status, at, known?.attempt ?? null, known?.epoch ?? null);
      }
    });
  }

  #isForeign(session: SessionAddress): boolean {
    return this.#parts.foreign?.includes(session) === true;
  }
}

/** What a runner may take now, in its order; nothing while the host's journal lies beside the file. */
function claimable({ dataDir, clock }: Place, session: SessionAddress, isForeign: boolean): readonly Claimable[] {
  const paths = sessionPaths(dataDir, session);
  const acks = withFile(paths.outbound, { readonly: true }, (db) =>
    db
      .prepare<[], { readonly message_id: string; readonly attempt: number | null }>('SELECT * FROM processing_ack')
      .all(),
  );
  try {
    return withFile(paths.inbound, { readonly: true }, (db) =>
      db
        .prepare<[string], Claimable>(
          `SELECT id, attempt FROM messages_in
           WHERE status = 'pending' AND "trigger" = 1 AND ifnull(process_after, '') <= ? ORDER BY seq`,
        )
        .all(formatInstant(clock.now()))
        .filter(
          ({ id, attempt }) => !acks.some((ack) => ack.message_id === id && (isForeign || ack.attempt === attempt)),
        ),
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_READONLY_ROLLBACK') return [];
    throw error;
  }
}

function beat({ dataDir, clock }: Place, session: SessionAddress): void {
  const { heartbeat } = sessionPaths(dataDir, session);
  writeFileSync(heartbeat, '');
  utimesSync(heartbeat, clock.now() / 1000, clock.now() / 1000);
}

/** Of several containers of one session only the newest finds work to do. */
function newestOfEach(containers: readonly Container[]): (Container & { readonly session: SessionAddress })[] {
  return containers.flatMap((one) => {
    const { session, epoch, state } = one;
    if (session === undefined || state !== 'running') return [];
    return containers.some((other) => other.session === session && other.epoch > epoch) ? [] : [{ ...one, session }];
  });
}

function epochOfStart({ spec }: FakeRuntime['started'][number]): number {
  return spec.epoch;
}

export function withFile<T>(path: string, options: Database.Options, work: (db: Database.Database) => T): T {
  const db = new Database(path, options);
  try {
    return work(db);
  } finally {
    db.close();
  }
}
