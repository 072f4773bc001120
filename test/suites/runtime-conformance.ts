import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Epoch, SessionAddress } from '../../src/protocol/address.js';
import { RuntimeUnavailable } from '../../src/protocol/errors.js';
import type { Container, ContainerSpec, Runtime, RuntimeEvent } from '../../src/ports/runtime.js';
import { eventually, within } from '../support/eventually.js';

/**
 * What a container does. Output goes to stdout and ends with a newline unless said otherwise.
 * - `sleep`: prints `ready` once TERM would be honoured, then runs until TERM and exits with 0
 * - `ignore-term`: prints `ready` once TERM would be ignored, then runs until KILL
 * - `exit-0`, `exit-7`: exits with that code at once
 * - `crash`: ends itself with SIGKILL
 * - `print`: `to stdout` on stdout, `to stderr` on stderr, then exits with 0
 * - `print-binary`: `before`, the byte 0xff, `after`, then exits with 0
 * - `big-output`: 1 MiB or more of lines, the last one `the last line`, then exits with 0
 * - `environment`: one `NAME=value` line per variable, `end of environment`, then exits with 0
 */
export type Program =
  'sleep' | 'ignore-term' | 'exit-0' | 'exit-7' | 'crash' | 'print' | 'print-binary' | 'big-output' | 'environment';

export interface ProgramRequest {
  readonly session: SessionAddress;
  readonly epoch: Epoch;
  readonly program: Program;
}

/** A runtime of one install, and how to ask it for a program. */
export interface Install {
  readonly runtime: Runtime;
  /** A complete spec: the same name for the same session, `specHash` whatever the harness likes (not empty). */
  specFor(request: ProgramRequest): Promise<ContainerSpec>;
}

export interface Refusal {
  /** Completes "refuses to start ...". */
  readonly what: string;
  readonly runtime: Runtime;
  readonly spec: ContainerSpec;
  /** What the detail must name. */
  readonly names: string;
}

export interface RuntimeHarness extends Install {
  /** Another install on the same engine (and data dir, where that matters). */
  readonly foreign: Install;
  /** Another runtime of the same install, as after a restart of the daemon; closed by cleanup. */
  reopened(): Promise<Runtime>;
  /** Starts that must be refused: the program is missing, the image is missing, ... */
  refusals(): Promise<readonly Refusal[]>;
  /** A runtime whose engine is down or never answers, with a deadline under 2 s; and the calls to try on it. */
  unanswered?(): Promise<{
    readonly runtime: Runtime;
    readonly spec: ContainerSpec;
    readonly calls: readonly ('start' | 'list' | 'inspect' | 'ping')[];
  }>;
  /** Ends all containers of both installs, deletes all files, closes the runtimes. */
  cleanup(): Promise<void>;
}

interface LaunchOptions {
  readonly session?: SessionAddress;
  readonly epoch?: Epoch;
  readonly install?: Install;
}

const EPOCH_1 = 1 as Epoch;
const EPOCH_2 = 2 as Epoch;
const OUTPUT_LIMIT_BYTES = 65_536;
const GRACE_MS = 15_000;

/** The rules of the port src/ports/runtime.ts, run on every adapter. */
export function describeRuntime(name: string, makeHarness: () => Promise<RuntimeHarness>): void {
  describe(`runtime: ${name}`, () => {
    let harness: RuntimeHarness;
    let runtime: Runtime;
    let sessions = 0;

    beforeAll(async () => {
      harness = await makeHarness();
      runtime = harness.runtime;
    });
    afterAll(async () => {
      await harness.cleanup();
    });

    function nextSession(): SessionAddress {
      sessions += 1;
      return `suite/s${String(sessions)}` as SessionAddress;
    }

    /** Starts a program in a session of its own. */
    async function launch(
      program: Program,
      { session = nextSession(), epoch = EPOCH_1, install = harness }: LaunchOptions = {},
    ): Promise<{ readonly spec: ContainerSpec; readonly container: Container }> {
      const spec = await install.specFor({ session, epoch, program });
      return { spec, container: await started(install.runtime, spec) };
    }

    async function launchReady(program: 'sleep' | 'ignore-term', options?: LaunchOptions) {
      const launched = await launch(program, options);
      await untilOutput(launched.container, 'ready');
      return launched;
    }

    function untilOutput(container: Container, text: string): Promise<true> {
      return eventually(`"${text}" in the output`, async () => (await runtime.logs(container.id, 4096)).includes(text));
    }

    function untilExited(container: Container): Promise<Container> {
      return eventually(`exit of ${container.name}`, async () => {
        const found = await runtime.inspect(container.name);
        return found?.state === 'exited' ? found : undefined;
      });
    }

    async function listed(container: Container, by: Runtime = runtime): Promise<Container | undefined> {
      return (await by.list()).find((one) => one.id === container.id);
    }

    describe('start', () => {
      it('answers ping with a description', async () => {
        const info = await runtime.ping();
        expect(info.description).not.toBe('');
        expect(info.isolates).toBe(runtime.kind !== 'process');
      });

      it('shows a started container as running, with its labels and its start, in every view', async () => {
        const beforeMs = Date.now();
        const { spec, container } = await launchReady('sleep', { epoch: EPOCH_2 });

        expect(container).toMatchObject({
          name: spec.name,
          install: spec.install,
          session: spec.session,
          epoch: 2,
          specHash: spec.specHash,
          state: 'running',
        });
        expect(container.startedAtMs).toBeGreaterThanOrEqual(beforeMs - 1_000);
        expect(container.startedAtMs).toBeLessThanOrEqual(Date.now() + 1_000);
        expect(await runtime.inspect(spec.name)).toEqual(container);
        expect(await listed(container)).toEqual(container);
        expect(await listed(container, await harness.reopened())).toEqual(container);
        await runtime.remove(container.id);
      });

      it('F5: answers a second start under the same name with the container that exists', async () => {
        const { spec, container } = await launchReady('sleep');

        const again = await runtime.start({ ...spec, epoch: EPOCH_2 });

        expect(again).toEqual({ kind: 'exists', container });
        expect((await runtime.list()).filter((one) => one.name === spec.name)).toEqual([container]);
        await runtime.remove(container.id);
      });

      it('F5: starts exactly one when starts under one name race, from two hosts as well', async () => {
        const other = await harness.reopened();
        const spec = await harness.specFor({ session: nextSession(), epoch: EPOCH_1, program: 'sleep' });

        const results = await Promise.all([runtime, other, runtime, other, runtime].map((one) => one.start(spec)));

        expect(results.map((result) => result.kind).sort()).toEqual([
          'exists',
          'exists',
          'exists',
          'exists',
          'started',
        ]);
        const ids = results.map((result) => (result.kind === 'refused' ? result.detail : result.container.id));
        expect(new Set(ids).size).toBe(1);
        const running = (await runtime.list()).filter((one) => one.name === spec.name);
        expect(running).toHaveLength(1);
        for (const one of running) await runtime.remove(one.id);
      });

      it('F5: an exited container holds its name until it is harvested', async () => {
        const { spec, container } = await launch('exit-0');
        const exited = await untilExited(container);

        expect(await runtime.start({ ...spec, epoch: EPOCH_2 })).toEqual({ kind: 'exists', container: exited });

        await runtime.harvest(exited);
      });

      it('refuses what cannot be started, with a detail that names it, and leaves nothing behind', async () => {
        for (const refusal of await harness.refusals()) {
          const result = await refusal.runtime.start(refusal.spec);
          expect(result.kind, `start ${refusal.what}`).toBe('refused');
          expect(result.kind === 'refused' ? result.detail : '').toContain(refusal.names);
          expect(await refusal.runtime.inspect(refusal.spec.name), refusal.what).toBeUndefined();
          expect((await refusal.runtime.list()).filter((one) => one.name === refusal.spec.name)).toEqual([]);
        }
      });

      it('F40: gives the container the environment of its spec and nothing of the daemon', async () => {
        process.env['NP_SUITE_LEAK'] = 'of the daemon';
        try {
          const base = await harness.specFor({ session: nextSession(), epoch: EPOCH_1, program: 'environment' });
          const spec = { ...base, environment: { ...base.environment, NP_SUITE_GIVEN: 'two words = "x"\tü' } };
          const container = await started(runtime, spec);
          const end = await runtime.harvest(await untilExited(container));
          expect(end.output).toContain('NP_SUITE_GIVEN=two words = "x"\tü\n');
          expect(end.output).toContain('end of environment');
          expect(end.output).not.toContain('NP_SUITE_LEAK');
        } finally {
          delete process.env['NP_SUITE_LEAK'];
        }
      });
    });

    describe('harvest', () => {
      it('F27: tells exit code 0 and when it ended', async () => {
        const { container } = await launch('exit-0');
        const end = await runtime.harvest(await untilExited(container));

        expect(end).toMatchObject({ exitCode: 0, signal: null, oomKilled: false });
        expect(end.finishedAtMs).toBeGreaterThanOrEqual((container.startedAtMs ?? 0) - 1_000);
        expect(end.finishedAtMs).toBeLessThanOrEqual(Date.now() + 1_000);
      });

      it('F27: tells an exit code other than 0', async () => {
        const { container } = await launch('exit-7');
        expect(await runtime.harvest(await untilExited(container))).toMatchObject({ exitCode: 7, oomKilled: false });
      });

      it('F27: tells a death by SIGKILL by signal or exit code, not as out of memory', async () => {
        const { container } = await launch('crash');
        const end = await runtime.harvest(await untilExited(container));
        expect(end.signal === 'SIGKILL' || end.exitCode === 137).toBe(true);
        expect(end.exitCode).not.toBe(0);
        expect(end.oomKilled).toBe(false);
      });

      it('F27: keeps stdout and stderr', async () => {
        const { container } = await launch('print');
        const exited = await untilExited(container);
        // The last of the output may come a moment after the exit; a harvest has it all.
        await untilOutput(container, 'to stdout\n');
        const end = await runtime.harvest(exited);
        expect(end.output).toContain('to stdout\n');
        expect(end.output).toContain('to stderr\n');
      });

      it('F27: keeps the last 64 KiB of a large output, and logs no more than asked for', async () => {
        const { container } = await launch('big-output');
        const exited = await untilExited(container);
        const tail = await eventually('the whole output', async () => {
          const text = await runtime.logs(container.id, 1000);
          return text.endsWith('the last line\n') ? text : undefined;
        });
        expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(1000);
        expect(Buffer.byteLength(tail)).toBeGreaterThan(900);
        const end = await runtime.harvest(exited);
        expect(end.output.endsWith('the last line\n')).toBe(true);
        expect(Buffer.byteLength(end.output)).toBeLessThanOrEqual(OUTPUT_LIMIT_BYTES);
        expect(Buffer.byteLength(end.output)).toBeGreaterThan(OUTPUT_LIMIT_BYTES - 1024);
      });

      it('replaces what is not UTF-8 in an output, within the limit', async () => {
        const { container } = await launch('print-binary');
        const exited = await untilExited(container);
        await untilOutput(container, 'before\ufffdafter\n');
        expect(await runtime.logs(container.id, 4096)).toBe('before\ufffdafter\n');
        expect(Buffer.byteLength(await runtime.logs(container.id, 7))).toBeLessThanOrEqual(7);
        expect((await runtime.harvest(exited)).output).toBe('before\ufffdafter\n');
      });

      it('frees the name at once and is not listed any more, by no host of the install', async () => {
        const { spec, container } = await launch('exit-7');
        await runtime.harvest(await untilExited(container));

        expect(await runtime.inspect(spec.name)).toBeUndefined();
        expect(await listed(container)).toBeUndefined();
        expect(await listed(container, await harness.reopened())).toBeUndefined();
        const next = await harness.specFor({ session: spec.session, epoch: EPOCH_2, program: 'sleep' });
        const successor = await started(runtime, next);
        expect(successor).toMatchObject({ name: spec.name, epoch: 2, state: 'running' });
        await runtime.remove(successor.id);
      });

      it('is idempotent, at once and later, and leaves a successor of the same name alone', async () => {
        const { spec, container } = await launch('exit-7');
        const exited = await untilExited(container);
        const ends = await Promise.all([runtime.harvest(exited), runtime.harvest(exited)]);
        expect(ends.map((end) => end.exitCode)).toContain(7);
        for (const end of ends) expect([7, null]).toContain(end.exitCode);

        const { container: successor } = await launchReady('sleep', { session: spec.session, epoch: EPOCH_2 });
        expect([7, null]).toContain((await runtime.harvest(exited)).exitCode);
        await runtime.remove(container.id);
        expect(await runtime.stop(container.id, 1_000)).toEqual({ kind: 'gone' });

        expect(await runtime.inspect(spec.name)).toEqual(successor);
        await runtime.remove(successor.id);
      });

      it('harvests by another host what the first one started', async () => {
        const { container } = await launch('exit-7');
        const exited = await untilExited(container);
        const end = await (await harness.reopened()).harvest(exited);
        expect(end.exitCode).toBe(7);
        expect(await listed(container)).toBeUndefined();
      });
    });

    describe('stop', () => {
      it('lets a container that honours TERM end by itself, long before the grace is over', async () => {
        const { container } = await launchReady('sleep');
        const beganMs = performance.now();

        expect(await runtime.stop(container.id, GRACE_MS)).toEqual({ kind: 'gone' });

        expect(performance.now() - beganMs).toBeLessThan(GRACE_MS / 2);
        expect((await runtime.inspect(container.name))?.state).toBe('exited');
        expect(await runtime.harvest(container)).toMatchObject({ exitCode: 0, oomKilled: false });
      });

      it('F18: kills a container that ignores TERM once the grace is over, and says gone when it is', async () => {
        const { container } = await launchReady('ignore-term');
        const beganMs = performance.now();

        expect(await runtime.stop(container.id, 1_000)).toEqual({ kind: 'gone' });

        expect(performance.now() - beganMs).toBeGreaterThanOrEqual(950);
        expect((await runtime.inspect(container.name))?.state).toBe('exited');
        const end = await runtime.harvest(container);
        expect(end.signal === 'SIGKILL' || end.exitCode === 137).toBe(true);
        expect(end.oomKilled).toBe(false);
      });

      it('is idempotent: exited, harvested, unknown and twice at once are all gone', async () => {
        const { container } = await launchReady('sleep');
        const both = await Promise.all([runtime.stop(container.id, GRACE_MS), runtime.stop(container.id, GRACE_MS)]);
        expect(both).toEqual([{ kind: 'gone' }, { kind: 'gone' }]);
        expect(await runtime.stop(container.id, GRACE_MS)).toEqual({ kind: 'gone' });
        await runtime.harvest(container);
        expect(await runtime.stop(container.id, GRACE_MS)).toEqual({ kind: 'gone' });
        expect(await runtime.stop('np-unknown-0000.0000' as Container['id'], 1_000)).toEqual({ kind: 'gone' });
      });

      it('stops by another host what the first one started', async () => {
        const { container } = await launchReady('sleep');
        expect(await (await harness.reopened()).stop(container.id, GRACE_MS)).toEqual({ kind: 'gone' });
        expect(await runtime.harvest(container)).toMatchObject({ exitCode: 0 });
      });
    });

    describe('remove', () => {
      it('ends a running container and frees its name', async () => {
        const { spec, container } = await launchReady('ignore-term');
        await runtime.remove(container.id);
        expect(await runtime.inspect(spec.name)).toBeUndefined();
        expect(await listed(container)).toBeUndefined();
        const successor = await started(runtime, { ...spec, epoch: EPOCH_2 });
        await runtime.remove(successor.id);
      });

      it('is idempotent, also for what is unknown, exited or removed twice at once', async () => {
        const { container } = await launch('exit-0');
        await untilExited(container);
        await Promise.all([runtime.remove(container.id), runtime.remove(container.id)]);
        await runtime.remove(container.id);
        await runtime.remove('np-unknown-0000.0000' as Container['id']);
        expect(await listed(container)).toBeUndefined();
      });

      it('has no logs of what is gone', async () => {
        expect(await runtime.logs('np-unknown-0000.0000' as Container['id'], 100)).toBe('');
        expect(await runtime.inspect('np-unknown-0000')).toBeUndefined();
      });
    });

    describe('other installs', () => {
      it('F19: lists and inspects only the containers of its own install', async () => {
        const { container: mine } = await launchReady('sleep');
        const session = nextSession();
        const { container: theirs } = await launch('sleep', { session, install: harness.foreign });

        expect(await listed(theirs)).toBeUndefined();
        expect(await listed(mine, harness.foreign.runtime)).toBeUndefined();
        expect(await listed(theirs, harness.foreign.runtime)).toMatchObject({ session, state: 'running' });
        expect(await runtime.inspect(theirs.name)).toBeUndefined();
        await harness.foreign.runtime.remove(theirs.id);
        await runtime.remove(mine.id);
      });

      it('F19: neither stops nor removes the container of another install', async () => {
        const { container: theirs } = await launch('sleep', { install: harness.foreign });
        const attempts = await Promise.allSettled([runtime.stop(theirs.id, 500), runtime.remove(theirs.id)]);
        expect(attempts).toHaveLength(2);
        expect(await listed(theirs, harness.foreign.runtime)).toMatchObject({ state: 'running' });
        await harness.foreign.runtime.remove(theirs.id);
      });
    });

    describe('events', () => {
      it('tells starts and exits of this install, and ends when aborted', async () => {
        const abort = new AbortController();
        const seen: RuntimeEvent[] = [];
        const stream = collect(runtime.events(abort.signal), seen);
        // A stream may take a moment to open; events before that are not promised.
        const opened = await launchUntilSeen(seen);
        const foreign = await launch('exit-0', { install: harness.foreign });
        const { spec, container } = await launch('exit-7', { epoch: EPOCH_2 });

        await eventually('both events', () => ofSession(seen, spec.session).length >= 2);

        expect(ofSession(seen, spec.session)).toEqual([
          { kind: 'started', session: spec.session, epoch: 2 },
          { kind: 'exited', session: spec.session, epoch: 2 },
        ]);
        expect(ofSession(seen, foreign.spec.session)).toEqual([]);
        abort.abort();
        await within('the end of the stream', 5_000, stream);
        await runtime.remove(opened.id);
        await runtime.remove(container.id);
        await harness.foreign.runtime.remove(foreign.container.id);
      });

      it('tells the exit of a container that another host started', async () => {
        const { spec, container } = await launchReady('sleep');
        const other = await harness.reopened();
        const abort = new AbortController();
        const seen: RuntimeEvent[] = [];
        const stream = collect(other.events(abort.signal), seen);
        const opened = await launchUntilSeen(seen, other);

        await runtime.stop(container.id, GRACE_MS);

        await eventually('the exit', () => ofSession(seen, spec.session).some((event) => event.kind === 'exited'));
        abort.abort();
        await within('the end of the stream', 5_000, stream);
        await runtime.remove(opened.id);
        await runtime.remove(container.id);
      });

      it('ends a stream that was aborted before it was read', async () => {
        const seen: RuntimeEvent[] = [];
        await within('the end of the stream', 5_000, collect(runtime.events(AbortSignal.abort()), seen));
        expect(seen).toEqual([]);
      });

      /** Starts containers until a `started` event is seen: then the stream is open. */
      async function launchUntilSeen(seen: readonly RuntimeEvent[], by: Runtime = runtime): Promise<Container> {
        for (;;) {
          const { spec, container } = await launch('sleep', {
            install: { runtime: by, specFor: (request) => harness.specFor(request) },
          });
          const open = await eventually('an event', () => ofSession(seen, spec.session).length > 0, {
            timeoutMs: 1_000,
          }).catch(() => false);
          if (open) return container;
          await runtime.remove(container.id);
        }
      }
    });

    it('F16: calls end within their deadline as unavailable when nothing answers', async () => {
      const unanswered = await harness.unanswered?.();
      if (unanswered === undefined) return;
      const { runtime: hung, spec, calls } = unanswered;
      const attempts: Record<(typeof calls)[number], () => Promise<unknown>> = {
        start: () => hung.start(spec),
        list: () => hung.list(),
        inspect: () => hung.inspect(spec.name),
        ping: () => hung.ping(),
      };
      for (const call of calls) {
        await expect(within(call, 10_000, attempts[call]()), call).rejects.toBeInstanceOf(RuntimeUnavailable);
      }
    });
  });
}

async function started(runtime: Runtime, spec: ContainerSpec): Promise<Container> {
  const result = await runtime.start(spec);
  if (result.kind !== 'started') throw new Error(`not started: ${JSON.stringify(result)}`);
  return result.container;
}

async function collect(events: AsyncIterable<RuntimeEvent>, into: RuntimeEvent[]): Promise<void> {
  for await (const event of events) into.push(event);
}

function ofSession(events: readonly RuntimeEvent[], session: SessionAddress): readonly RuntimeEvent[] {
  return events.filter((event) => event.session === session);
}
