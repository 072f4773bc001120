import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PATIENCE_MS, describeOnProcesses } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import { DIALECTS, ProviderServer, answering, refusing } from '../support/provider-server.js';

const FAKE_CLAUDE = new URL('../support/fake-claude.mjs', import.meta.url).pathname;
const { anthropic } = DIALECTS;
const LIMITED_FOR_S = 6;

interface DeadView {
  readonly id: string;
  readonly errorClass: string | null;
}

describeOnProcesses('what costs money', ({ open }) => {
  let server: ProviderServer;
  beforeEach(async () => {
    server = await ProviderServer.open();
  });
  afterEach(() => server.close());

  const openAnthropic = (settings: Readonly<Record<string, string | number>> = {}): TestDaemon =>
    open({
      settings: { PROVIDER: 'anthropic', MODEL: 'm', BASE_URL: `${server.url}/v1`, ...settings },
      groups: { demo: { ENVIRONMENT: { ANTHROPIC_API_KEY: 'sk-shown' } } },
    });
  const count = async (daemon: TestDaemon, session: string, least: number) =>
    eventually(
      `${String(least)} answers`,
      async () => {
        const found = await daemon.replies(session);
        return found.length >= least && found;
      },
      { timeoutMs: PATIENCE_MS },
    );

  it(
    'L16: a prompt that is too long ends after 2 calls as a dead letter of its class',
    async () => {
      const daemon = openAnthropic();
      const tooLong = { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 2 > 1' } };
      server.react(answering(anthropic, 'first'), refusing(400, tooLong));
      await daemon.start();
      await daemon.done(['send', 'demo/long', 'hello']);
      await count(daemon, 'demo/long', 1);
      await daemon.done(['send', 'demo/long', 'and on', '--id', 'long']);
      const dead = await eventually(
        'the dead letter',
        async () => {
          const found = JSON.parse(await daemon.done(['dead', 'list', '--json'])) as readonly DeadView[];
          return found.length > 0 && found;
        },
        { timeoutMs: PATIENCE_MS },
      );
      expect(dead).toMatchObject([{ id: 'long', errorClass: 'context_overflow' }]);
      expect(server.asked).toHaveLength(3);
    },
    2 * PATIENCE_MS,
  );

  it(
    'L18: sessions of a provider that limits us make at most 3 calls until retry_at, and are answered after it',
    async () => {
      const daemon = openAnthropic();
      const limited = { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } };
      const limitedUntilMs = Date.now() + LIMITED_FOR_S * 1_000;
      server.react((response, asked) => {
        const leftMs = limitedUntilMs - Date.now();
        const reaction =
          leftMs > 0
            ? refusing(429, limited, { 'retry-after': String(Math.ceil(leftMs / 1_000)) })
            : answering(anthropic, 'at last');
        return reaction(response, asked);
      });
      const names = Array.from({ length: 100 }, (_, index) => `demo/s${String(index)}`);
      await daemon.start();
      const batch = names.map((session) => JSON.stringify({ session, text: 'x' })).join('\n');
      await daemon.done(['send', '--batch', '-'], batch);
      await eventually('the first is refused', () => server.asked.length > 0, { timeoutMs: PATIENCE_MS });
      await eventually('the limit is over', () => Date.now() >= limitedUntilMs, { timeoutMs: PATIENCE_MS });
      expect(server.asked.length).toBeLessThanOrEqual(3);
      await eventually('they go on', async () => (await daemon.status()).messages.completed >= 5, {
        timeoutMs: PATIENCE_MS,
      });
    },
    4 * PATIENCE_MS,
  );

  it(
    'L14: a resume id that the provider does not know costs one call, and the user sees only the answer',
    async () => {
      const command = JSON.stringify([process.execPath, FAKE_CLAUDE, 'does not know the session']);
      const daemon = open({
        settings: { PROVIDER: 'claude' },
        groups: { demo: { COMMAND: JSON.parse(command) as string[] } },
      });
      await daemon.start();
      for (const [index, words] of ['one', 'two'].entries()) {
        await daemon.done(['send', 'demo/first', words]);
        await count(daemon, 'demo/first', index + 1);
      }
      const replies = await daemon.replies('demo/first');
      expect(replies.map(({ content }) => content)).toEqual([{ text: 'you said: one' }, { text: 'you said: two' }]);
      await eventually(
        'it is counted',
        async () => (await scrape(daemon)).includes('nightporter_session_resume_failures_total{provider="claude"} 1\n'),
        { timeoutMs: PATIENCE_MS },
      );
    },
    2 * PATIENCE_MS,
  );
});

function scrape(daemon: TestDaemon): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath: join(daemon.dataDir, 'nightporter.sock'), path: '/metrics' }, (response) => {
      text(response).then(resolve, reject);
    })
      .on('error', reject)
      .end();
  });
}
