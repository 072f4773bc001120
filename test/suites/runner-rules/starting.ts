import { existsSync, renameSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { holdWith, runSql, spilledTransaction } from '../../support/session-files-fixture.js';
import { HELD, type RuleCase } from './rule-case.js';

const V2_TABLES = `
  DROP TABLE processing_ack;
  DROP TABLE container_state;
  CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT NOT NULL);
  CREATE TABLE container_state (id INTEGER PRIMARY KEY CHECK (id = 1), current_tool TEXT,
    tool_declared_timeout_ms INTEGER, tool_started_at TEXT, updated_at TEXT NOT NULL);
`;

/** S and I: what it starts on, and how it reads inbound.db. */
export const STARTING: readonly RuleCase[] = [
  {
    rule: 'S1',
    text: 'leaves with 64, and writes nothing, when it is asked for another protocol',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      const runner = await bench.start({ env: { [RUNNER_ENV.protocol]: '2' } });
      expect(await bench.end(runner)).toMatchObject({ code: 64 });
      expect(bench.acks()).toEqual([]);
      expect(bench.answers()).toEqual([]);
    },
  },
  {
    rule: 'S2',
    text: 'leaves with an error where there is no outbound.db, and makes none',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      const runner = await bench.start({
        meddle: ({ outbound }) => {
          rmSync(outbound);
        },
      });
      expect((await bench.end(runner)).code).not.toBe(0);
      expect(existsSync(bench.paths.outbound)).toBe(false);
    },
  },
  {
    rule: 'S2',
    text: 'leaves with an error where outbound.db lacks a table, and answers nothing',
    takes: 'attempts',
    test: async (bench) => {
      await bench.deliver('m');
      const runner = await bench.start({
        meddle: ({ outbound }) => {
          runSql(outbound, 'DROP TABLE processing_ack');
        },
      });
      expect((await bench.end(runner)).code).not.toBe(0);
      expect(bench.answers()).toEqual([]);
    },
  },
  {
    rule: 'S3',
    text: 'works on an outbound.db that has the first columns only',
    takes: 'nothing',
    test: async (bench) => {
      bench.outbound(V2_TABLES);
      await bench.deliver('m');
      await bench.start();
      await bench.untilAcked('completed', 'm');
      expect(bench.answered()).toEqual(['m']);
      expect(await bench.look()).toMatchObject({ kind: 'ok' });
    },
  },
  {
    rule: 'I1',
    text: 'leaves the folder of inbound.db as it is',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver('m1', 'm2', { id: 'context', trigger: false });
      const before = bench.inFolder();
      await bench.start();
      await bench.untilAcked('completed', 'm1', 'm2');
      expect(bench.inFolder()).toEqual(before);
    },
  },
  {
    rule: 'I2',
    text: 'waits for an inbound.db that is not there yet',
    takes: 'nothing',
    test: async (bench) => {
      await bench.deliver('m');
      const aside = `${bench.paths.inbound}.aside`;
      const runner = await bench.start({
        meddle: ({ inbound }) => {
          renameSync(inbound, aside);
        },
      });
      await bench.beats(runner, 10);
      renameSync(aside, bench.paths.inbound);
      await bench.untilAcked('completed', 'm');
    },
  },
  {
    rule: 'I2',
    text: 'takes a locked inbound.db for no news, and lives on',
    takes: 'nothing',
    test: async (bench) => {
      bench.touch('hold');
      const runner = await bench.start({ agent: HELD });
      await bench.deliver('m1');
      await bench.untilFile('started');
      await bench.deliver('m2');
      const host = await holdWith(bench.paths.inbound, 'BEGIN EXCLUSIVE');
      bench.remove('hold');
      await bench.beats(runner, 20);
      expect(bench.ack('m2')).toBeUndefined();
      await host.kill();
      await bench.untilAcked('completed', 'm1', 'm2');
    },
  },
  {
    rule: 'I2',
    text: 'takes a journal that only the host may roll back for no news, and leaves it to the host',
    takes: 'nothing',
    test: async (bench) => {
      const runner = await bench.start();
      await bench.deliver('m1');
      await bench.untilAcked('completed', 'm1');
      const insert = `INSERT INTO messages_in (id, seq, kind, timestamp, content)
        SELECT 'lost' || i, 10000 + 2 * i, 'chat', '2026-01-01T00:00:00.000Z', hex(randomblob(200))`;
      const host = await holdWith(bench.paths.inbound, spilledTransaction('messages_in', insert));
      await host.kill();
      const journal = `${bench.paths.inbound}-journal`;
      expect(existsSync(journal)).toBe(true);

      await bench.beats(runner, 10);

      expect(existsSync(journal)).toBe(true);
      await bench.deliver('m2');
      await bench.untilAcked('completed', 'm1', 'm2');
      expect(bench.acks().map((row) => row.message_id)).toEqual(['m1', 'm2']);
    },
  },
  {
    rule: 'I3',
    text: 'never keeps the host from writing, whether it waits or works',
    takes: 'nothing',
    test: async (bench) => {
      await bench.start({ agent: HELD });
      for (let index = 0; index < 10; index += 1) await bench.deliver({ id: `early${String(index)}`, trigger: false });
      bench.touch('hold');
      await bench.deliver('m');
      await bench.untilFile('started');
      for (let index = 0; index < 10; index += 1) await bench.deliver({ id: `late${String(index)}`, trigger: false });
      expect(await bench.look()).toMatchObject({ kind: 'ok' });
      bench.remove('hold');
      await bench.untilAcked('completed', 'm');
    },
  },
];
