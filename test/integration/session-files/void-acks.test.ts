import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FilesFixture } from '../../support/session-files-fixture.js';
import { ackSql, DEMO, newMessage, openFiles, queryRows, runSql } from '../../support/session-files-fixture.js';

let fixture: FilesFixture;
beforeEach(async () => {
  fixture = openFiles();
  const ids = ['retried', 'done', 'claimed', 'foreign', 'present'];
  await fixture.files.deliver(
    DEMO,
    ids.map((id) => newMessage(id)),
  );
});
afterEach(() => fixture.close());

const acks = (): readonly unknown[] =>
  queryRows(fixture.paths().outbound, 'SELECT message_id, attempt FROM processing_ack ORDER BY rowid');

it('removes, before a start, ended acks of attempts that are over: a runner that knows no attempts would heed them', async () => {
  runSql(fixture.paths().inbound, `UPDATE messages_in SET attempt = 2`);
  runSql(fixture.paths().inbound, `UPDATE messages_in SET status = 'failed' WHERE id = 'done'`);
  const rows =
    ackSql('retried', 'failed', 1) +
    ackSql('done', 'failed', 1) +
    ackSql('claimed', 'processing', 1) +
    ackSql('foreign', 'completed', null) +
    ackSql('present', 'completed', 2);
  runSql(fixture.paths().outbound, rows);

  const look = await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'normal', resumeMaxAgeMs: 0 });

  expect(acks()).toEqual([
    { message_id: 'done', attempt: 1 },
    { message_id: 'claimed', attempt: 1 },
    { message_id: 'foreign', attempt: null },
    { message_id: 'present', attempt: 2 },
  ]);
  expect(look).toMatchObject({ kind: 'ok', due: { dueCount: 2 } });
});

it('F3: removes, before a start, what the container before said of itself', async () => {
  runSql(
    fixture.paths().outbound,
    `INSERT INTO container_state (id, current_tool, tool_declared_timeout_ms, updated_at) VALUES (1, 'bash', 9000, '2026-01-01 00:00:00')`,
  );
  await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'normal', resumeMaxAgeMs: 0 });
  expect(queryRows(fixture.paths().outbound, 'SELECT * FROM container_state')).toEqual([]);
});
