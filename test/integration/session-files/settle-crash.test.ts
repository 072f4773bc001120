import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import type { Epoch } from '../../../src/protocol/address.js';
import type { FilesOutcome, Written } from '../../../src/ports/session-files.js';
import {
  ackSql,
  DEMO,
  holdWith,
  newMessage,
  openFiles,
  queryRows,
  runSql,
  type FilesFixture,
} from '../../support/session-files-fixture.js';

let fixture: FilesFixture;
beforeEach(async () => {
  fixture = openFiles();
  await fixture.files.deliver(DEMO, [newMessage('m')]);
});
afterEach(() => fixture.close());

const EPOCH = 3;

/** Settles what a look finds as the plan does: a claim that carries its own mark is not counted again. */
async function settleOnce(): Promise<FilesOutcome<Written> | 'nothing left'> {
  const look = await fixture.look();
  if (look.kind !== 'ok') return look;
  const claimed = look.acked.filter(({ ack }) => ack.status === 'processing');
  if (claimed.length === 0 && look.marksToClear.length === 0) return 'nothing left';
  const changes = claimed.flatMap(({ message, ack }) => {
    const mark = `${String(EPOCH)}:${String(ack.attempt)}:${ack.statusChanged}`;
    if (message.settledClaim === mark) return [];
    const { attempt, tries } = message;
    return [
      {
        id: message.id,
        expect: { attempt, tries },
        set: { tries: tries + 1, attempt: attempt + 1, settledClaim: mark },
      },
    ];
  });
  return fixture.files.settle(DEMO, {
    epoch: EPOCH as Epoch,
    changes,
    claims: claimed.map(({ ack }) => ack),
    ackRows: [],
    clear: look.marksToClear,
    nowMs: Date.now(),
  });
}

/** As the rounds do: a journal that the killed child left is rolled back first, what is busy is looked at again. */
async function settleToTheEnd(): Promise<void> {
  await eventually('it is settled', async () => {
    await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'normal', resumeMaxAgeMs: 0 });
    return (await settleOnce()) === 'nothing left';
  });
}

const inboundRow = (): unknown =>
  queryRows(fixture.paths().inbound, 'SELECT tries, attempt, settled_claim FROM messages_in')[0];
const acks = (): readonly unknown[] => queryRows(fixture.paths().outbound, 'SELECT message_id FROM processing_ack');

describe('F7: a host that dies while it settles never counts a claim twice', () => {
  it('between counting and deleting', async () => {
    const { outbound } = fixture.paths();
    runSql(outbound, ackSql('m', 'processing', 0, 't1'));
    // A reader lets the settle begin and count, but not commit the deletion.
    const reader = await holdWith(outbound, 'BEGIN; SELECT * FROM processing_ack');
    expect(await settleOnce()).toMatchObject({ kind: 'busy', file: 'outbound.db' });
    expect(inboundRow()).toEqual({ tries: 1, attempt: 1, settled_claim: '3:0:t1' });
    expect(acks()).toHaveLength(1);
    await reader.kill();
    await settleToTheEnd();
    expect(inboundRow()).toEqual({ tries: 1, attempt: 1, settled_claim: null });
    expect(acks()).toEqual([]);
  });

  it('between deleting and clearing the mark', async () => {
    runSql(fixture.paths().inbound, "UPDATE messages_in SET tries = 1, attempt = 1, settled_claim = '3:0:t1'");
    expect(await fixture.look()).toMatchObject({ marksToClear: ['m'] });
    await settleToTheEnd();
    expect(inboundRow()).toEqual({ tries: 1, attempt: 1, settled_claim: null });
  });

  it('killed at any moment', { timeout: 120_000 }, async () => {
    for (let round = 1; round <= 15; round += 1) {
      runSql(fixture.paths().outbound, ackSql('m', 'processing', round - 1, `t${String(round)}`));
      await fixture.look(); // a child that is ready
      const settling = settleOnce();
      await new Promise((resolve) => setTimeout(resolve, round * 2));
      for (const pid of fixture.workers()) process.kill(pid, 'SIGKILL');
      await settling;
      await settleToTheEnd();
      expect(inboundRow()).toEqual({ tries: round, attempt: round, settled_claim: null });
      expect(acks()).toEqual([]);
    }
  });
});
