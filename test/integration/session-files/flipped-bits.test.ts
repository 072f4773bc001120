import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ackSql, DEMO, newMessage, openFiles, OTHER, runSql } from '../../support/session-files-fixture.js';
import type { FilesFixture } from '../../support/session-files-fixture.js';

const SEEDS = 40;
const HEADER_BYTES = 100;
const FIRST_PAGE_BYTES = 4_096;

let fixture: FilesFixture;
beforeEach(async () => {
  fixture = openFiles();
  await fixture.files.deliver(DEMO, [newMessage('m')]);
  await fixture.files.deliver(OTHER, [newMessage('m')]);
  for (let n = 0; n < 30; n += 1) {
    runSql(
      fixture.paths().outbound,
      `${ackSql(`x${String(n)}`, 'completed')} INSERT INTO messages_out (id, timestamp, kind, content)
         VALUES ('r${String(n)}', '2026-01-01 00:00:00', 'chat', '${'y'.repeat(300)}')`,
    );
  }
});
afterEach(() => fixture.close());

/** Numbers from 0 to below 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 2_654_435_761) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One to four flipped bits: in turn in the header, the schema, and anywhere; every tenth is cut off somewhere besides. */
function damaged(bytes: Buffer, seed: number): Buffer {
  const random = randomFrom(seed);
  const copy = Buffer.from(bytes);
  const region = [HEADER_BYTES, FIRST_PAGE_BYTES, copy.length][seed % 3] ?? copy.length;
  const flips = 1 + Math.floor(random() * 4);
  for (let flip = 0; flip < flips; flip += 1) {
    const at = Math.floor(random() * region);
    copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  return seed % 10 === 9 ? copy.subarray(0, Math.floor(random() * copy.length)) : copy;
}

it('F1, F38: whatever bits are flipped, it is read, damaged or refused, never a fault; what is damaged can be replaced', async () => {
  const { outbound } = fixture.paths();
  const whole = readFileSync(outbound);
  const seen = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed += 1) {
    rmSync(outbound, { force: true });
    writeFileSync(outbound, damaged(whole, seed));
    const options = { nowMs: Date.now(), lane: 'normal', resumeMaxAgeMs: 0 } as const;
    const look = await fixture.files.look(DEMO, options);
    const start = await fixture.files.prepareStart(DEMO, options);
    for (const { kind } of [look, start, await fixture.files.replies(DEMO, 0, 100)]) {
      expect(['ok', 'corrupt', 'hostile'], `seed ${String(seed)}`).toContain(kind);
      seen.add(kind);
    }
    if (start.kind !== 'corrupt') continue;
    expect(await fixture.files.replaceCorrupt(DEMO, 'outbound.db')).toMatchObject({ kind: 'ok' });
    expect(await fixture.look()).toMatchObject({ kind: 'ok', due: { dueCount: 1 } });
  }
  expect(seen).toContain('ok');
  expect(seen).toContain('corrupt');
  expect(await fixture.look(OTHER)).toMatchObject({ kind: 'ok' });
});
