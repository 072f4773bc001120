import { expect, it } from 'vitest';
import type { DeadMessageView, RetriedView } from '../../src/desk/views.js';
import { describeOnBoth, describeOnProcesses, PATIENCE_MS } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import { nanoclawGroup } from '../support/foreign-group.js';

const TEST_MS = 5 * PATIENCE_MS;
const SESSION = 'demo/clerk';
/** What the session's program runs: broken or mended in its workspace. */
const AGENT = 'agent.sh';
const BROKEN = 'echo "the ledger is missing" >&2\nexit 65\n';
const MENDED = 'echo "entered by run $NIGHTPORTER_EPOCH"\n';

async function untilAnswered(daemon: TestDaemon, session: string): Promise<void> {
  await eventually('an answer', async () => (await daemon.replies(session)).length > 0, {
    timeoutMs: PATIENCE_MS,
    intervalMs: 200,
  });
}

await describeOnBoth('a dead letter', ({ engine, open, itOnce }) => {
  itOnce(
    'F27: shows how its turn ended, and is answered once after the agent is mended and it is tried again',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.createScript(SESSION, `sh ./${AGENT}`);
      daemon.plant(SESSION, AGENT, BROKEN);
      const id = await daemon.send(SESSION, 'enter 42');
      await daemon.untilEnded(SESSION, [id]);

      expect(await daemon.dead()).toMatchObject([
        { session: SESSION, id, errorClass: 'fatal', reason: 'fatal', tries: 0 },
      ]);
      const shown = await daemon.json<DeadMessageView>(['dead', 'show', SESSION, id]);
      expect(shown).toMatchObject({ status: 'failed', content: { text: 'enter 42' }, reason: 'fatal' });
      expect(shown.ends).toMatchObject([
        { attempt: 0, outcome: 'fail', reason: 'fatal', epoch: 1, errorClass: 'fatal' },
      ]);
      expect(shown.ends[0]?.error).toContain('exit code 65');
      expect(shown.ends[0]?.lastOutput).toContain('the ledger is missing');
      const text = await daemon.done(['dead', 'show', SESSION, id]);
      expect(text).toContain('exit code 65');
      expect(text).toContain('the ledger is missing');
      expect(text).toContain(`nightporter dead retry ${SESSION} ${id}`);

      daemon.plant(SESSION, AGENT, MENDED);
      await daemon.done(['dead', 'retry', SESSION, id]);
      await untilAnswered(daemon, SESSION);

      expect(await daemon.texts(SESSION)).toEqual(['entered by run 1']);
      expect(await daemon.dead()).toEqual([]);
      await daemon.untilEnded(SESSION, [id]);
      expect(daemon.message(SESSION, id)).toMatchObject({ status: 'completed', tries: 0, attempt: 1, error: null });
      const after = await daemon.statusWhen('nothing is dead', ({ messages }) => messages.failed === 0);
      expect(after.notices).toEqual([]);
      expect((await daemon.json<DeadMessageView>(['dead', 'show', SESSION, id])).ends).toMatchObject([
        { attempt: 0, outcome: 'fail' },
        { attempt: 1, outcome: 'complete' },
      ]);
      expect((await daemon.cli(['dead', 'retry', SESSION, id])).code).toBe(5);
    },
    TEST_MS,
  );

  itOnce(
    'F24: of a runner that knows no attempts: its container is recycled, the old ack swallows nothing, answered once',
    async () => {
      const daemon = open({ groups: { foreign: await nanoclawGroup(engine) } });
      await daemon.start();
      const session = 'foreign/clerk';
      await daemon.createScript(session, `sh ./${AGENT}`);
      daemon.plant(session, AGENT, BROKEN);
      const id = await daemon.send(session, 'enter 42');
      await daemon.untilEnded(session, [id]);
      daemon.plant(session, AGENT, MENDED);
      await daemon.done(['dead', 'retry', session, '--all']);
      await untilAnswered(daemon, session);
      await daemon.untilEnded(session, [id]);
      expect(await daemon.texts(session)).toEqual(['entered by run 2']);
      expect(daemon.incarnations(session)).toMatchObject([{ stop_reason: 'recycled', fruitless: 0 }, { epoch: 2 }]);
      expect(daemon.message(session, id)).toMatchObject({ status: 'completed', tries: 0, attempt: 1 });
    },
    TEST_MS,
  );
});

describeOnProcesses('a replay over kill -9 of the daemon', ({ open }) => {
  it(
    'is done by the next one, once, whether it was asked for before the kill or while no daemon ran',
    async () => {
      const daemon = open({ settings: { SWEEP_INTERVAL_MS: 1_000 } });
      await daemon.start();
      await daemon.createScript(SESSION, `sh ./${AGENT}`);
      daemon.plant(SESSION, AGENT, BROKEN);
      const ids: string[] = [];
      for (let n = 0; n < 6; n += 1) ids.push(await daemon.send(SESSION, `enter ${String(n)}`));
      await daemon.untilEnded(SESSION, ids);
      daemon.plant(SESSION, AGENT, 'sed -E "s/.*enter ([0-9]).*/entered \\1/"\n');

      // Each is asked for, and the daemon killed at another moment of what follows.
      for (const [index, id] of ids.slice(0, 5).entries()) {
        await daemon.done(['dead', 'retry', SESSION, id]);
        await new Promise((resolve) => setTimeout(resolve, index * 7));
        await daemon.end('SIGKILL');
        await daemon.start();
      }
      await daemon.end('SIGKILL');
      const last = await daemon.json<RetriedView>(['dead', 'retry', SESSION, ...ids.slice(5)]);
      expect(last.retried).toMatchObject([{ waits: 'no_daemon' }]);
      await daemon.start();

      await eventually(
        'all are answered',
        () => ids.every((id) => daemon.message(SESSION, id)?.status === 'completed'),
        { timeoutMs: PATIENCE_MS },
      );
      expect((await daemon.texts(SESSION)).toSorted()).toEqual(ids.map((_, n) => `entered ${String(n)}`));
      expect(ids.map((id) => daemon.message(SESSION, id)?.attempt)).toEqual(Array(6).fill(1));
      expect(await daemon.dead()).toEqual([]);
    },
    TEST_MS,
  );
});
