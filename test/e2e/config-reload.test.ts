import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ReloadView } from '../../src/desk/views.js';
import { describeOnProcesses, PATIENCE_MS } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 3 * PATIENCE_MS;

const configFile = (daemon: TestDaemon): string => join(daemon.dataDir, 'config.yaml');

function configure(daemon: TestDaemon, settings: Readonly<Record<string, unknown>>): void {
  // JSON is YAML; a line each.
  writeFileSync(configFile(daemon), JSON.stringify(settings, undefined, 1));
}

const reload = (daemon: TestDaemon): Promise<ReloadView> => daemon.json(['config', 'reload']);

const inWords = ({ changed }: ReloadView): readonly string[] =>
  changed.map(({ setting, shownFrom, shownTo, inEffect }) => {
    return `${setting}: ${shownFrom} -> ${shownTo}${inEffect ? '' : ' later'}`;
  });

/** Lines of the log with this message. */
function logged(daemon: TestDaemon, message: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = daemon.log.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .filter(({ msg }) => msg === message);
}

async function hangup(daemon: TestDaemon, message: string): Promise<Readonly<Record<string, unknown>>> {
  const before = logged(daemon, message).length;
  process.kill(daemon.pid, 'SIGHUP');
  return eventually(`the log says "${message}"`, () => logged(daemon, message)[before], { timeoutMs: PATIENCE_MS });
}

const RELOADED = 'settings reloaded';
const REFUSED = 'settings not reloaded, those before stay in effect';
/** No round comes by itself. */
const QUIET = { SWEEP_INTERVAL_MS: '1h', START_GRACE_MS: 0 };

describeOnProcesses('config reload', ({ open }) => {
  const started = async (settings: Readonly<Record<string, unknown>>, options?: Parameters<typeof open>[0]) => {
    const daemon = open(options);
    configure(daemon, settings);
    await daemon.start();
    return daemon;
  };

  it(
    'L24: SIGHUP applies a new MAX_CONCURRENT_CONTAINERS: who waits is started, without another round',
    async () => {
      const daemon = await started({ ...QUIET, MAX_CONCURRENT_CONTAINERS: 1 });
      for (const session of ['demo/a', 'demo/b']) {
        await daemon.createScript(session, 'sleep 600');
        await daemon.send(session, 'go');
      }
      await daemon.statusWhen('one waits', ({ waiting, containers }) => waiting === 1 && containers.running === 1);

      configure(daemon, { ...QUIET, MAX_CONCURRENT_CONTAINERS: 2 });
      const line = await hangup(daemon, RELOADED);
      expect(line['changed']).toEqual([{ setting: 'MAX_CONCURRENT_CONTAINERS', from: '1', to: '2', inEffect: true }]);
      await daemon.statusWhen('both run', ({ waiting, containers }) => waiting === 0 && containers.running === 2);
    },
    TEST_MS,
  );

  it(
    'L24: a new IDLE_TIMEOUT_MS of a group stops its idle container, and not that of another group',
    async () => {
      const daemon = await started(QUIET);
      for (const session of ['demo/a', 'other/a']) await daemon.untilEnded(session, [await daemon.send(session, 'hi')]);
      await daemon.statusWhen('both are idle', ({ messages }) => messages.completed === 2);

      const settings = { ...QUIET, SWEEP_INTERVAL_MS: '200ms', groups: { demo: { IDLE_TIMEOUT_MS: 100 } } };
      configure(daemon, settings);
      expect(inWords(await reload(daemon))).toEqual([
        'SWEEP_INTERVAL_MS: 1 h -> 200 ms',
        'groups.demo.IDLE_TIMEOUT_MS: 5 min -> 100 ms',
      ]);
      await daemon.statusWhen('one is stopped', ({ containers }) => containers.running === 1);
      expect(daemon.incarnations('demo/a')).toMatchObject([{ stop_reason: 'idle' }]);
      expect(daemon.incarnations('other/a')).toMatchObject([{ stopped_at: null }]);
    },
    TEST_MS,
  );

  it(
    'L24: wrong settings are refused as a whole, with every problem at once; the last good ones stay in effect',
    async () => {
      const daemon = await started({ MESSAGE_MAX_BYTES: 1024 });
      const large = 'x'.repeat(2000);
      const send = () => daemon.cli(['send', 'demo/a', '-'], large);
      expect((await send()).code).toBe(2);

      configure(daemon, { MESSAGE_MAX_BYTES: 4096, MAX_TRYS: 3, SWEEP_INTERVAL_MS: 'soon' });
      const refused = await daemon.cli(['config', 'reload']);
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      const problems = [
        `${configFile(daemon)}:3: MAX_TRYS is no setting; the nearest known name is MAX_TRIES`,
        expect.stringMatching(/config\.yaml:4: SWEEP_INTERVAL_MS must be a duration .*found "soon"$/),
      ];
      const [head, ...lines] = refused.stderr.trimEnd().split('\n');
      expect(head).toBe('nightporter: 2 problems with the settings, those before stay in effect:');
      expect(lines.map((line) => line.trim())).toEqual(problems);
      // Each time, although the log leaves repeats out.
      for (const time of [1, 2]) {
        const line = await hangup(daemon, REFUSED);
        expect(line['problems'], `time ${String(time)}`).toEqual(problems);
      }
      expect((await send()).code).toBe(2);

      configure(daemon, { MESSAGE_MAX_BYTES: 4096 });
      await hangup(daemon, RELOADED);
      expect(await send()).toMatchObject({ code: 0 });
    },
    TEST_MS,
  );

  it(
    'L24: what takes a restart is named each time, and in effect after the next start',
    async () => {
      const daemon = await started({ FILE_WORKERS: 2, MAX_TRIES: 5 });
      configure(daemon, { FILE_WORKERS: 3, MAX_TRIES: 4, COMMAND: ['claude', 'secret'] });
      const text = await daemon.done(['config', 'reload']);
      expect(text.split('\n')).toEqual([
        'FILE_WORKERS: 2 -> 3 (from the next start on)',
        'MAX_TRIES: 5 -> 4',
        'COMMAND: none -> ["claude","***"]',
        '2 in effect now, 1 after a restart of the daemon',
        '',
      ]);
      expect(await reload(daemon)).toEqual({
        changed: [{ setting: 'FILE_WORKERS', from: 2, to: 3, shownFrom: '2', shownTo: '3', inEffect: false }],
        warnings: [],
        file: configFile(daemon),
      });
      await daemon.end('SIGTERM');
      await daemon.start();
      expect(await daemon.done(['config', 'reload'])).toBe('nothing changed\n');
      expect(daemon.log).not.toContain('secret');
    },
    TEST_MS,
  );

  it(
    'L24: a file that is gone, or no plain file, is a problem; the last good settings stay, and the daemon goes on',
    async () => {
      const daemon = await started({ MAX_TRIES: 3 });
      const file = configFile(daemon);
      const refusal = async (): Promise<string> => {
        const { code, stderr } = await daemon.cli(['config', 'reload']);
        expect(code).toBe(2);
        rmSync(file, { recursive: true, force: true });
        return stderr;
      };
      rmSync(file);
      expect(await refusal()).toContain(`${file}: there is no such file any more; put it back`);
      mkdirSync(file);
      expect(await refusal()).toContain(`${file}: cannot be read (no plain file)`);
      execFileSync('mkfifo', [file]);
      expect(await refusal()).toContain(`${file}: cannot be read (no plain file)`);

      configure(daemon, {});
      expect(inWords(await reload(daemon))).toEqual(['MAX_TRIES: 3 -> 5']);
    },
    TEST_MS,
  );

  it(
    'L24: of reloads at once, one finds the change, and none of them half of it',
    async () => {
      const daemon = await started({ MAX_TRIES: 3, PIDS: 100 });
      configure(daemon, { MAX_TRIES: 4, PIDS: 200 });
      process.kill(daemon.pid, 'SIGHUP');
      const answers = await Promise.all([reload(daemon), reload(daemon), reload(daemon)]);
      const lines = await eventually('all four are logged', () => {
        const found = logged(daemon, RELOADED);
        return found.length === 4 && found;
      });
      const all = [...answers.map(({ changed }) => changed), ...lines.map(({ changed }) => changed)];
      const found = all.map((changed) => (changed as ReloadView['changed']).map(({ setting }) => setting).join(' '));
      expect(new Set(found)).toEqual(new Set(['', 'MAX_TRIES PIDS']));
      expect(lines.filter(({ changed }) => (changed as readonly unknown[]).length > 0)).toHaveLength(1);
    },
    TEST_MS,
  );

  it(
    'L24: environment and options of the start stay above the file, and LOG_LEVEL and STOP_MODE hold at once',
    async () => {
      const daemon = await started(QUIET, { settings: { MAX_TRIES: 2 } });
      await daemon.untilEnded('demo/a', [await daemon.send('demo/a', 'hi')]);
      configure(daemon, { ...QUIET, MAX_TRIES: 9, RUNTIME: 'docker', LOG_LEVEL: 'debug', STOP_MODE: 'drain' });
      expect(inWords(await reload(daemon))).toEqual(['STOP_MODE: leave -> drain', 'LOG_LEVEL: info -> debug']);
      await daemon.sweep();
      await eventually('a line of debug', () => daemon.log.includes('"level":"debug"'), { timeoutMs: PATIENCE_MS });
      expect((await daemon.end('SIGTERM')).code).toBe(0);
      expect(daemon.incarnations('demo/a')).toMatchObject([{ stop_reason: 'drained' }]);
    },
    TEST_MS,
  );

  it(
    'L24: without a daemon it exits with 4; a file of its own it refuses',
    async () => {
      const daemon = open();
      const alone = await daemon.cli(['config', 'reload']);
      expect(alone).toMatchObject({ code: 4, stdout: '' });
      expect(alone.stderr).toContain(`no daemon runs on ${daemon.dataDir}`);
      const other = await daemon.cli(['config', 'reload', '--config', configFile(daemon)]);
      expect(other).toMatchObject({ code: 2, stdout: '' });
      expect(other.stderr).toContain('leave --config out');
    },
    TEST_MS,
  );
});
