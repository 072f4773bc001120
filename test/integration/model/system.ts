import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseTurn } from '../../../container/agent-runner/src/choose.js';
import { lookAtInbound } from '../../../container/agent-runner/src/inbound.js';
import { Outbound } from '../../../container/agent-runner/src/outbound.js';
import type { Message } from '../../../container/agent-runner/src/provider.js';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeskApi } from '../../../src/desk/api.js';
import type { SweepReport } from '../../../src/ports/rounds.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { NightporterError } from '../../../src/protocol/errors.js';
import { parseInstant } from '../../../src/protocol/times.js';
import { deskOf } from '../../support/desk-of.js';
import { ackOf, dueAtMs, findFiles, isLive } from '../../support/found-files.js';
import type { FoundFiles } from '../../support/found-files.js';
import type { FakeProgram } from '../../support/fake-engine.js';
import { FakeRuntime } from '../../support/fake-runtime.js';
import { ManualClock } from '../../support/manual-clock.js';
import { session, TestPorter } from '../../support/porter.js';
import { LIMITS } from './model.js';
import type { Outcome } from './rows.js';
import type { ListsView, SessionView } from './view.js';

/** Of a few sessions, at one time. */
const MOST_STARTS = 10;

/** What our own runner has in its container. */
interface Runner {
  readonly epoch: number;
  readonly outbound: Outbound;
  turn: readonly Message[];
  isSilent: boolean;
}

/** The real rounds, desk, registry and session files, and our own runner's reading and writing; engine and time are not. */
export class System {
  readonly p: TestPorter;
  readonly #clock = new ManualClock();
  readonly #runners = new Map<string, Runner>();
  /** Since the last rest. */
  #starts = 0;

  constructor() {
    const dataDir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'np-model-'));
    this.p = new TestPorter({
      ...{ dataDir, settings: LIMITS, files: 'in_process' },
      runtime: (install) => new FakeRuntime({ install, clock: this.#clock, program: () => this.#started() }),
      clock: this.#clock,
    });
  }

  /** Before anything is sent to it: every session has a provider of its own, so that none waits for what another one was told. */
  meet(name: string): void {
    const own = { provider: `p-${name.replace('/', '-')}`, image: null, command: null };
    this.p.registry.createSession({ address: session(name), createdAtMs: this.p.clock.now(), ...own });
  }

  /** Whether it was done; else it was refused. */
  async ask(question: (desk: DeskApi) => Promise<unknown>): Promise<boolean> {
    try {
      await question(this.#desk());
      return true;
    } catch (error) {
      if (error instanceof NightporterError && error.code === 'refused') return false;
      throw error;
    }
  }

  /**
   * A round, a look at what containers have now, and all that both began. Nothing hints at what is out of service: it
   * is looked at all the same, so that what it shows does not depend on when that was done last.
   */
  async rest(): Promise<SweepReport> {
    await this.p.rounds.settled();
    const report = await this.p.round();
    const running = this.p.running();
    for (const { address, status } of this.p.registry.eachSession()) {
      if (status !== 'active' || running.includes(address)) this.p.rounds.hint(address);
    }
    await this.p.rounds.settled();
    this.#starts = 0;
    return report;
  }

  /** What starts containers over and over would never come to rest. */
  #started(): FakeProgram {
    this.#starts += 1;
    if (this.#starts > MOST_STARTS) throw new Error('containers are started over and over');
    return {};
  }

  /** Containers that live beat all the while. */
  pass(ms: number): void {
    this.p.clock.advance(ms);
    for (const name of this.p.running()) if (!this.#runner(name).isSilent) this.p.beat(name);
  }

  /** The host dies; it is gone for a time, in which containers go on. */
  async restart(goneMs: number, meanwhile: () => Promise<void>): Promise<void> {
    await this.p.rounds.stop();
    this.pass(goneMs);
    await meanwhile();
    await this.p.restart();
  }

  claim(name: string): string[] {
    const runner = this.#runner(name);
    const { clock } = this.p;
    const found = runner.outbound.withAcks((isAcked) =>
      lookAtInbound(this.p.paths(name).inbound, (pending) =>
        chooseTurn(pending, {
          ...{ nowMs: clock.now(), maxClaims: LIMITS.MAX_CLAIMS, isOnWakeGiven: () => true, isAcked },
        }),
      ),
    );
    if (found.kind !== 'read') throw new Error(`inbound.db of ${name}: ${found.code}`);
    if (found.messages.length > 0) runner.outbound.claim(found.messages, clock.now());
    runner.turn = found.messages;
    this.p.beat(name);
    return found.messages.map(({ id }) => id);
  }

  end(name: string, outcome: Outcome): void {
    const { outbound, turn } = this.#runner(name);
    const nowMs = this.p.clock.now();
    if (outcome === 'completed') {
      const answers = turn.filter(({ trigger }) => trigger).map((to) => ({ to, text: 'done' }));
      const done = { kind: 'completed' as const, answers, providerSession: null };
      outbound.finish(turn, { outcome: done, session: null, usage: null }, nowMs);
    } else {
      const failed = { kind: 'failed' as const, error: 'no', errorClass: outcome, retryAtMs: null };
      outbound.finish(turn, { outcome: failed, session: null, usage: null }, nowMs);
    }
  }

  die(name: string): void {
    this.p.runtime.exit(session(name), { exitCode: 1 });
  }

  goSilent(name: string): void {
    this.#runner(name).isSilent = true;
  }

  view(): SessionView[] {
    const running = this.p.running();
    const notices = this.p.notices();
    return findFiles(this.p.dataDir, this.p.registry).map((files) => ({
      ...recorded(this.p, files.session),
      messages: messagesOf(files),
      running: running.filter((name) => name === files.session).length,
      notices: notices.flatMap((told) => (told.endsWith(` ${files.session}`) ? [told.replace(/ .*/, '')] : [])).sort(),
    }));
  }

  async lists(): Promise<ListsView[]> {
    const lists: ListsView[] = [];
    const desk = this.#desk();
    for (const { address } of this.p.registry.eachSession()) {
      const dead: string[] = [];
      for await (const letter of desk.deadLetters({ session: address })) {
        if ('problem' in letter) throw new Error(letter.problem);
        dead.push(`${letter.row.id} attempt ${letter.row.attempt}: ${letter.row.reason}`);
      }
      const { rows } = await desk.replies(address, 0);
      lists.push({ session: address, dead, answered: rows.map(({ inReplyTo }) => inReplyTo ?? '') });
    }
    return lists;
  }

  #desk(): DeskApi {
    return deskApi(deskOf(this.p));
  }

  #runner(name: string): Runner {
    const container = this.p.runtime.running(session(name));
    if (container === undefined) throw new Error(`no container of ${name} runs`);
    const known = this.#runners.get(name);
    if (known?.epoch === container.epoch) return known;
    const options = { epoch: container.epoch, heartbeatMs: 10_000 };
    const runner = {
      ...{ epoch: container.epoch, outbound: new Outbound(this.p.paths(name).outbound, options) },
      ...{ turn: [], isSilent: false },
    };
    this.#runners.set(name, runner);
    return runner;
  }
}

function recorded({ registry }: TestPorter, address: SessionAddress) {
  const record = registry.findSession(address);
  if (record === undefined) throw new Error(`the registry knows no session ${address}`);
  const { status, epoch, counts, liveSeries, nextDueAtMs } = record;
  const { fruitless, settledFailures, holdReason } = registry.guard(address);
  const guard = { fruitless, deadInARow: settledFailures, held: holdReason };
  return {
    session: address,
    status,
    epoch,
    ...guard,
    counts: { ...counts, series: liveSeries },
    nextDueMs: nextDueAtMs,
  };
}

function messagesOf(files: FoundFiles): SessionView['messages'] {
  return files.messages.map((row) => ({
    ...{ id: row.id, status: row.status, tries: row.tries, deferrals: row.deferrals, attempt: row.attempt },
    isClaimed: ackOf(files, row)?.status === 'processing',
    dueMs: dueAtMs(row),
    isLive: isLive(row),
    occurrenceMs: row.occurrence === null ? null : (parseInstant(row.occurrence) ?? null),
    reason: row.status === 'failed' ? row.error_class : null,
  }));
}
