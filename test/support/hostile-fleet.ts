import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'vitest';
import { connectDaemon } from '../../src/cli/daemon-client.js';
import { runCli } from '../../src/cli/run-cli.js';
import type { DeskApi } from '../../src/desk/api.js';
import { findSocket } from '../../src/desk/socket-place.js';
import type { StatusView } from '../../src/desk/views.js';
import { chunksOf } from './desk-fixture.js';
import type { TestDaemon } from './daemon.js';
import { PATIENCE_MS, say } from './daemon.js';
import { eventually } from './eventually.js';
import { HOSTILE_CASES } from './hostile-cases.js';
import type { HostileCase } from './hostile-cases.js';
import type { LoopProbe, LoopTimes } from './loop-probe.js';
import { Victim } from './victim.js';

const GOOD = ['good/one', 'good/two', 'good/three'];
const NEIGHBOUR = 'quiet/neighbour';
const IDLE_MS = 2_000;
/** Between two messages to a good one. */
const PAUSE_MS = 300;
const NEVER = '2099-01-01T00:00:00Z';

interface Planted extends HostileCase {
  readonly name: string;
  readonly session: string;
  readonly victim: Victim;
}

/** All cases of the table in one daemon, a session each, beside good ones. Asked over the socket: many times a second. */
export class HostileFleet {
  readonly #daemon: TestDaemon;
  readonly #cases: readonly Planted[];
  readonly #cleanUps: (() => void)[] = [];
  #neighbour = '';

  constructor(daemon: TestDaemon, outside: string) {
    this.#daemon = daemon;
    const isRoot = process.getuid?.() === 0;
    const all = Object.entries(HOSTILE_CASES);
    const skipped = all.filter(([, { asRoot }]) => asRoot === true && !isRoot);
    for (const [name] of skipped) say(`${name}: left out, it takes root`);
    this.#cases = all
      .filter((one) => !skipped.includes(one))
      .map(([name, one]) => {
        const session = `${one.plant === undefined ? 'live' : 'bad'}/${name}`;
        return { ...one, name, session, victim: new Victim(outside, `${name}.db`) };
      });
  }

  /** Their files are there before anything is planted. */
  async create(): Promise<void> {
    const sessions = [NEIGHBOUR, ...GOOD, ...this.#cases.map(({ session }) => session)];
    await this.#sendBatch(sessions.map((session) => ({ session, text: 'later', id: 'later', after: NEVER })));
    await eventually('all files are there', () => sessions.every((one) => this.#daemon.message(one, 'later')), {
      timeoutMs: PATIENCE_MS,
      intervalMs: 100,
    });
    this.#neighbour = this.#neighbourState();
  }

  /** What a daemon without work shows on this machine now. */
  async idleTimes(probe: LoopProbe): Promise<LoopTimes> {
    await probe.read(this.#daemon.pid);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    return probe.read(this.#daemon.pid);
  }

  async plant(): Promise<void> {
    const neighbour = this.#daemon.paths(NEIGHBOUR);
    for (const { session, victim, plant } of this.#cases) {
      await plant?.({
        paths: this.#daemon.paths(session),
        victim: victim.path,
        neighbour,
        later: (cleanUp) => this.#cleanUps.push(cleanUp),
      });
    }
  }

  /** A message to each case at once. */
  async send(): Promise<void> {
    const desk = await this.#desk();
    const [carriers, others] = [true, false].map((carries) =>
      this.#cases.filter(({ attaches }) => (attaches === true) === carries),
    );
    await this.#sendBatch((others ?? []).map(({ session }) => ({ session, text: 'hello', id: 'm' })));
    for (const { session } of carriers ?? []) {
      const attachments = [await desk.stage('a.txt', chunksOf('content'))];
      await desk.send({ session, text: 'hello', id: 'm', attachments });
    }
  }

  /** Sends to the good ones, each time all have answered, until told to end: how long each answer took. */
  serveGoodOnes(): { readonly end: () => Promise<readonly number[]> } {
    let isOver = false as boolean; // set by the caller
    const serving = (async () => {
      const tookMs: number[] = [];
      for (let turn = 0; !isOver; turn += 1) {
        const id = `m${String(turn)}`;
        const sentAtMs = performance.now();
        await this.#sendBatch(GOOD.map((session) => ({ session, text: 'hello', id })));
        await Promise.all(
          GOOD.map(async (session) => {
            const [state] = await this.#daemon.untilEnded(session, [id]);
            expect(state).toMatchObject({ status: 'completed', tries: 0 });
            tookMs.push(performance.now() - sentAtMs);
          }),
        );
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      return tookMs;
    })();
    // Of a test that failed before, only its own failure is told.
    serving.catch(() => undefined);
    return {
      end: () => {
        isOver = true;
        return serving;
      },
    };
  }

  /** Until each case has come to its end, whatever that is; the status then. */
  async untilSettled(): Promise<StatusView> {
    const desk = await this.#desk();
    await Promise.all(
      this.#cases
        .filter(({ outcome }) => outcome !== 'refused')
        .map(({ session }) => this.#daemon.untilEnded(session, ['m'])),
    );
    return this.#untilAllRefused(desk);
  }

  /** What is still as it was planted is found again. */
  async releaseRefused(): Promise<void> {
    const desk = await this.#desk();
    // One by one: all at once they would be the test's own burst on the daemon's loop.
    for (const { session, races } of this.#refused()) {
      // What a killed container left of a race may be a good file.
      if (races !== true) await desk.changeSession(session, 'release');
    }
    await this.#untilAllRefused(desk);
  }

  /** What operators see of it, by command. */
  async printed(): Promise<ReadonlyMap<string, string>> {
    const commands = [
      ...['status', 'session list', 'dead list', 'dead show bad/steering-error m', 'replies bad/steering-rows'],
      ...['replies bad/outbox-that-leads-out', 'replies bad/steering-name', 'session show bad/steering-name'],
      ...['logs live/beats-as-a-folder', 'session show live/beats-as-a-folder'],
    ];
    const asJson = [
      'status',
      'logs live/beats-as-a-folder',
      'dead list',
      'replies bad/steering-rows',
      'session show bad/steering-name',
    ];
    const printed = new Map<string, string>();
    for (const command of [...commands, ...asJson.map((one) => `${one} --json`)]) {
      printed.set(command, await this.#print(command.split(' ')));
    }
    return printed;
  }

  /** What an answer came with is saved, and nothing that it leads to. */
  async checkSaved(folder: string): Promise<void> {
    const told = await this.#print(['replies', 'bad/outbox-that-leads-out', '--save', folder]);
    for (const name of ['link', 'second-name', 'fifo', 's', 't']) expect(told).toContain(`left out: ${name} `);
    expect(readdirSync(folder, { recursive: true }).map(String).sort()).toEqual(['r', 'r/good']);
  }

  /** A line for each. */
  async checkCases(status: StatusView): Promise<readonly string[]> {
    const lines: string[] = [];
    for (const one of this.#cases) {
      const told = status.notices.filter(({ session }) => session === one.session);
      expect(told.map(({ kind }) => kind).sort(), one.name).toEqual(Object.keys(one.notices).sort());
      for (const { kind, text } of told) {
        expect(text, one.name).toMatch(one.notices[kind as keyof typeof one.notices] ?? /^$/);
      }
      await this.#checkOutcome(one);
      if (one.races === true) one.victim.expectUnwritten();
      else one.victim.expectUntouched();
      const notices = told.length === 0 ? 'no notice' : `notice ${told.map(({ kind }) => kind).join(', ')}`;
      lines.push(`${one.name}: ${one.outcome}, ${notices}; victim ${one.races === true ? 'unwritten' : 'untouched'}`);
    }
    return lines;
  }

  /** For how long the container with the tool of 1e12 ms was let. */
  declaredToolMs(): number {
    const [first] = this.#daemon.incarnations('live/runs-a-long-tool');
    return (first?.stopped_at ?? 0) - (first?.started_at ?? 0);
  }

  expectNeighbourUntouched(): void {
    expect(this.#neighbourState()).toBe(this.#neighbour);
  }

  roundsSince(atMs: number): { readonly count: number; readonly longestMs: number; readonly longestGapMs: number } {
    const rounds = this.#daemon.log
      .split('\n')
      .filter((line) => line.includes('"msg":"round done"'))
      .map((line) => JSON.parse(line) as { readonly time: string; readonly durationMs: number })
      .map(({ time, durationMs }) => ({ atMs: Date.parse(time) - durationMs, durationMs }))
      .filter((round) => round.atMs >= atMs);
    const gapsMs = rounds.slice(1).map((round, index) => round.atMs - (rounds[index]?.atMs ?? 0));
    const longestMs = Math.max(...rounds.map(({ durationMs }) => durationMs));
    return { count: rounds.length, longestMs, longestGapMs: Math.max(...gapsMs) };
  }

  close(): void {
    for (const cleanUp of this.#cleanUps) cleanUp();
  }

  async #checkOutcome({ name, session, outcome, reason }: Planted): Promise<void> {
    const message = (): unknown => this.#daemon.message(session, 'm');
    const incarnations = this.#daemon.incarnations(session);
    switch (outcome) {
      case 'refused': {
        const { quarantined, messages } = await (await this.#desk()).showSession(session);
        expect({ quarantined, kept: messages.spooled + messages.pending + messages.processing }, name).toEqual({
          quarantined: true,
          kept: 2,
        });
        expect(
          incarnations.map((one) => one.stop_reason),
          name,
        ).toEqual(reason === undefined ? [] : [reason]);
        return;
      }
      case 'repaired': {
        expect(message(), name).toMatchObject({ status: 'completed' });
        const kept = readdirSync(this.#daemon.paths(session).out).filter((path) =>
          /^outbound\.db\.corrupt-/.test(path),
        );
        expect(kept, name).toHaveLength(1);
        return;
      }
      case 'served':
        expect(message(), name).toMatchObject({ status: 'completed', tries: 0 });
        expect(existsSync(`${this.#daemon.paths(session).outbound}-journal`), name).toBe(false);
        return;
      case 'stopped':
        expect(message(), name).toMatchObject({ status: 'completed', tries: 1 });
        // What the second one was stopped for later is the host's business: others wanted its place.
        expect(incarnations[0]?.stop_reason, name).toBe(reason);
        expect(incarnations, name).toHaveLength(2);
        return;
      case 'failed':
        expect(message(), name).toMatchObject({ status: 'failed', tries: 0 });
        expect(incarnations, name).toEqual([]);
        return;
    }
  }

  /** In this process: starting one for each command would take most of the test's time. */
  async #print(argv: readonly string[]): Promise<string> {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    stdin.end();
    await runCli({
      argv,
      version: '0',
      ...{ stdin, stdout, stderr },
      dataDirOf: () => this.#daemon.dataDir,
      host: () => Promise.reject(new Error('a daemon runs')),
      interruptions: () => new AbortController().signal,
    });
    const texts = [stdout, stderr].map((stream) => String(stream.read() ?? ''));
    expect(texts.join('')).not.toBe('');
    return texts.join('');
  }

  #refused(): readonly Planted[] {
    return this.#cases.filter(({ outcome }) => outcome === 'refused');
  }

  #untilAllRefused(desk: DeskApi): Promise<StatusView> {
    return eventually(
      'all are quarantined',
      async () => {
        const status = await desk.status();
        return status.sessions.quarantined === this.#refused().length && status;
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 100 },
    );
  }

  /** What is in its folders but for what the host keeps, and when that was written. */
  #neighbourState(): string {
    const { session } = this.#daemon.paths(NEIGHBOUR);
    const names = readdirSync(session, { recursive: true }).map(String).sort();
    const files = names
      .map((name) => join(session, name))
      .filter((path) => existsSync(path) && statSync(path).isFile())
      .map((path) => [path, statSync(path).mtimeMs, readFileSync(path, 'latin1')]);
    return JSON.stringify([names, files]);
  }

  async #sendBatch(messages: readonly object[]): Promise<void> {
    const lines = messages.map((message) => `${JSON.stringify(message)}\n`).join('');
    await (await this.#desk()).sendBatch(chunksOf(lines), undefined);
  }

  async #desk(): Promise<DeskApi> {
    const socket = findSocket(this.#daemon.dataDir);
    const connection = socket === undefined ? undefined : await connectDaemon(socket);
    if (connection === undefined) throw new Error('the daemon does not listen');
    return connection.api;
  }
}
