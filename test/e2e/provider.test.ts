import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PATIENCE_MS, describeOnProcesses } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import { DIALECTS, ProviderServer, answering, refusing } from '../support/provider-server.js';

const KEY = 'sk-end-to-end-0123456789';
const { openrouter, openai } = DIALECTS;

describeOnProcesses('a provider that is asked over HTTP', ({ open }) => {
  let server: ProviderServer;
  let daemon: TestDaemon;
  let folder: string;
  let keyFile: string;
  beforeEach(async () => {
    server = await ProviderServer.open();
    folder = mkdtempSync(join(tmpdir(), 'np-e2e-key-'));
    keyFile = join(folder, 'key');
    writeFileSync(keyFile, `${KEY}\n`);
    const own = { PROVIDER: 'openrouter', FALLBACK_PROVIDERS: 'openai', MODEL: 'openrouter=m,openai=m' };
    const BASE_URL = `openrouter=${server.url}/first/v1,openai=${server.url}/second/v1`;
    const ENVIRONMENT = { OPENROUTER_API_KEY: { file: keyFile }, OPENAI_API_KEY: { file: keyFile } };
    daemon = open({
      settings: { ...own, BASE_URL, BACKOFF_BASE_MS: 50, LOG_LEVEL: 'trace' },
      groups: { demo: { ENVIRONMENT } },
    });
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Beside what is set for groups. */
  const configure = (settings: Readonly<Record<string, unknown>>): void => {
    const file = join(daemon.dataDir, 'config.yaml');
    const before = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, unknown>>;
    writeFileSync(file, JSON.stringify({ ...before, ...settings }));
  };

  const answers = (count: number) =>
    eventually(
      `${count} answers`,
      async () => {
        const found = await daemon.replies('demo/first');
        return found.length >= count && found.map(({ content }) => content);
      },
      { timeoutMs: PATIENCE_MS },
    );

  it(
    'L15 L19 F40 answers with what was said before, through the chain where it is down, and the key is nowhere on disk or in a log',
    async () => {
      server.react(
        answering(openrouter, 'one'),
        refusing(401, { error: { code: 401, message: `No auth credentials found for ${KEY}` } }),
        answering(openai, 'two'),
        refusing(500, { error: { code: 500, message: `lost ${KEY}` } }),
        refusing(400, { error: { message: `wrong ${KEY}`, type: 'invalid_request_error' } }),
      );
      await daemon.start();
      await daemon.done(['send', 'demo/first', 'first question']);
      expect(await answers(1)).toEqual([{ text: 'one' }]);
      await daemon.done(['send', 'demo/first', 'second question']);
      expect(await answers(2)).toEqual([{ text: 'one' }, { text: 'two' }]);
      const history = ['user: first question', 'assistant: one', 'user: second question'];
      expect(server.asked.map(({ path }) => path.split('/')[1])).toEqual(['first', 'first', 'second']);
      expect(openai.said(server.asked[2]?.body)).toEqual(history);
      await daemon.done(['send', 'demo/first', 'third question', '--id', 'third']);
      const logs = await eventually(
        'the third fails',
        async () => {
          const found = await daemon.done(['logs', 'demo/first']);
          return found.includes('"outcome":"failed"') && found;
        },
        { timeoutMs: PATIENCE_MS },
      );
      expect(server.asked.map(({ headers }) => openrouter.keyIn(headers))).toContain(KEY);
      expect(logs).toContain('provider is down, the next one of the chain is asked');
      const shown = await daemon.done(['config', 'show', '--json']);
      await daemon.end('SIGTERM');
      expect(`${daemon.log}${logs}${shown}`).not.toContain(KEY);
      expect(filesWith(daemon.dataDir, KEY)).toEqual([]);
      // The search finds what is there.
      expect(filesWith(daemon.dataDir, 'second question')).not.toEqual([]);
    },
    2 * PATIENCE_MS,
  );

  it(
    'F40 is not started without the file that holds its key, which is said, and is once it is there',
    async () => {
      server.react(answering(openrouter, 'here'));
      rmSync(keyFile);
      await daemon.start();
      await daemon.done(['send', 'demo/first', 'hello']);
      const problem = `ENVIRONMENT: OPENROUTER_API_KEY: ${keyFile} is not there`;
      await eventually('it says so', () => daemon.log.includes(problem), { timeoutMs: PATIENCE_MS });
      writeFileSync(keyFile, KEY);
      expect(await answers(1)).toEqual([{ text: 'here' }]);
    },
    2 * PATIENCE_MS,
  );

  it(
    'a budget of tokens a day: the turn that goes over it is the last, messages wait and it is told of, until it is raised',
    async () => {
      server.react(answering(openrouter, 'one'), answering(openrouter, 'two'));
      configure({ SESSION_TOKENS_PER_DAY: 16 });
      await daemon.start();
      await daemon.done(['send', 'demo/first', 'first question']);
      await answers(1);
      await daemon.done(['send', 'demo/first', 'second question']);
      const { notices } = await daemon.statusWhen('it is told of', (status) =>
        status.notices.some(({ kind }) => kind === 'budget_spent'),
      );
      expect(notices.find(({ kind }) => kind === 'budget_spent')).toMatchObject({
        session: 'demo/first',
        text: expect.stringContaining('demo/first has used 16 of 16 tokens a day') as string,
      });
      expect(server.asked).toHaveLength(1);
      configure({ SESSION_TOKENS_PER_DAY: 32 });
      await daemon.done(['config', 'reload']);
      expect(await answers(2)).toEqual([{ text: 'one' }, { text: 'two' }]);
      await daemon.statusWhen('it is over', (status) => !status.notices.some(({ kind }) => kind === 'budget_spent'));
    },
    2 * PATIENCE_MS,
  );
});

/** Files below a folder in whose bytes a text is. */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}
