import { afterEach, expect, it } from 'vitest';
import type { MessageId } from '../../../src/protocol/address.js';
import { DueTimer } from '../../../src/rounds/due-timer.js';
import type { Porter } from '../../../src/rounds/porter.js';
import { TestPorter, session } from '../../support/porter.js';

let porter: TestPorter;

afterEach(async () => {
  await porter.close();
});

it('hints once at each of thousands of sessions that become due at the same moment', () => {
  porter = new TestPorter();
  const { registry, clock } = porter;
  const dueAtMs = clock.now() + 60_000;
  registry.acceptAll(
    Array.from({ length: 2_500 }, (_, n) => ({
      session: session(`g/s${String(n)}`),
      acceptedAtMs: clock.now(),
      message: {
        id: 'm1' as MessageId,
        kind: 'chat',
        timestampMs: clock.now(),
        processAfterMs: dueAtMs,
        trigger: true,
        onWake: false,
        content: '{}',
        recurrence: null,
        seriesId: null,
        timezone: null,
        occurrenceMs: null,
        missed: null,
      },
    })),
  );
  const hinted: string[] = [];
  const hint = (address: string): void => {
    hinted.push(address);
    if (hinted.length > 10_000) throw new Error('it hints without end');
  };
  const timer = new DueTimer({ registry, clock, hint } as unknown as Porter);
  timer.rearm();
  clock.advance(60_000);
  clock.advance(1_000);
  expect(hinted).toHaveLength(2_500);
  expect(new Set(hinted).size).toBe(2_500);
  timer.stop();
});
