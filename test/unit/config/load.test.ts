import { describe, expect, it } from 'vitest';
import { groupSettings } from '../../../src/config.js';
import type { SettingsSources } from '../../../src/config/load.js';
import { loadSettings } from '../../../src/config/load.js';
import type { GroupName } from '../../../src/protocol/address.js';
import { NightporterError } from '../../../src/protocol/errors.js';
import { problemsOf, settingsFrom } from './settings.js';

const demo = 'demo' as GroupName;

describe('sources of settings', () => {
  it('uses the documented defaults where nothing is given', () => {
    expect(settingsFrom()).toMatchObject({
      sweepIntervalMs: 60_000,
      staleThresholdMs: 600_000,
      claimStuckMs: 60_000,
      absoluteCeilingMs: 1_800_000,
      noProgressMs: 1_800_000,
      turnTimeoutMs: null,
      notClaimingMs: 300_000,
      idleTimeoutMs: 300_000,
      startGraceMs: 60_000,
      stopGraceMs: 10_000,
      runtime: 'auto',
      orphans: 'adopt',
      foreignAnswered: 'retry',
      keepCompletedDays: 30,
      deadLetterDays: 7,
      maxTries: 5,
      backoffBaseMs: 5000,
      maxConcurrentContainers: 8,
      maxToolTimeoutMs: 7_200_000,
      guardMaxRestarts: 3,
      guardProbeMs: 900_000,
      busyRetryMaxMs: 10_000,
      lockedStopMs: 30_000,
      fileWorkers: 2,
      fileDeadlineMs: 2000,
      runtimeDeadlineMs: 30_000,
      outboundMaxBytes: 1024 ** 3,
      messageMaxBytes: 16 * 1024 ** 2,
      stopMode: 'leave',
      drainTimeoutMs: 300_000,
      staleActive: 'fail',
      staleActiveMs: 21_600_000,
      commandOutputIsProgress: true,
      provider: 'echo',
      image: null,
      command: null,
      environment: {},
    });
  });

  it('L24: takes file, environment and flags in rising order', () => {
    const file = 'MAX_TRIES: 1\nFILE_WORKERS: 3\nGUARD_MAX_RESTARTS: 7\n';
    const env = { NIGHTPORTER_MAX_TRIES: '2', NIGHTPORTER_FILE_WORKERS: '4' };
    const settings = settingsFrom({ file, env, flags: { MAX_TRIES: 3 } });
    expect([settings.maxTries, settings.fileWorkers, settings.guardMaxRestarts]).toEqual([3, 4, 7]);
    expect(Object.fromEntries(settings.sources)).toEqual({
      MAX_TRIES: { from: 'flag', place: '--max-tries' },
      FILE_WORKERS: { from: 'environment', place: 'NIGHTPORTER_FILE_WORKERS' },
      GUARD_MAX_RESTARTS: { from: 'file', place: '/data/config.yaml:3' },
    });
  });

  it('lets a group win over everything that holds for all groups', () => {
    const file = 'defaults:\n  MAX_TRIES: 1\n  CPUS: 2\ngroups:\n  demo:\n    MAX_TRIES: 9\n  other:\n';
    const settings = settingsFrom({ file, env: { NIGHTPORTER_MAX_TRIES: '4' } });
    expect(groupSettings(settings, demo)).toMatchObject({ maxTries: 9, cpus: 2 });
    expect(groupSettings(settings, 'other' as GroupName).maxTries).toBe(4);
    expect(groupSettings(settings, 'unnamed' as GroupName).maxTries).toBe(4);
  });

  it('F40: adds the variables of a group to those of all groups', () => {
    const file =
      'defaults:\n  ENVIRONMENT: [HTTPS_PROXY, TZ=UTC]\ngroups:\n  demo:\n    ENVIRONMENT: { TZ: Asia/Tokyo, N: 1 }\n';
    const settings = settingsFrom({ file });
    expect(settings.environment).toEqual({ HTTPS_PROXY: null, TZ: 'UTC' });
    expect(groupSettings(settings, demo).environment).toEqual({ HTTPS_PROXY: null, TZ: 'Asia/Tokyo', N: '1' });
  });

  it('reads the file that --config names instead of the one in the data dir', () => {
    expect(settingsFrom({ configPath: '/etc/np.yaml', file: 'MAX_TRIES: 2' }).maxTries).toBe(2);
    expect(problemsOf({ configPath: '/etc/np.yaml' })).toEqual(['/etc/np.yaml: there is no such file (--config)']);
  });

  it('takes an empty variable and an empty file as nothing', () => {
    expect(settingsFrom({ env: { NIGHTPORTER_MAX_TRIES: '' }, file: '' }).maxTries).toBe(5);
    expect(settingsFrom({ file: '# nothing yet\n' }).maxTries).toBe(5);
    expect(settingsFrom({ file: 'groups:\ndefaults:\n' }).groups.size).toBe(0);
  });

  it.each([
    ['IDLE_TIMEOUT_MS: 90000', 90_000],
    ['IDLE_TIMEOUT_MS: 90s', 90_000],
    ['IDLE_TIMEOUT_MS: "90 s"', 90_000],
    ['IDLE_TIMEOUT_MS: 1.5 min', 90_000],
    ['IDLE_TIMEOUT_MS: 90_000', 90_000],
    ['IDLE_TIMEOUT_MS: 2h', 7_200_000],
    ['IDLE_TIMEOUT_MS: 1 day', 86_400_000],
  ])('reads the duration %s', (file, expected) => {
    expect(settingsFrom({ file }).idleTimeoutMs).toBe(expected);
  });

  it.each([
    ['1073741824', 1024 ** 3],
    ['1GiB', 1024 ** 3],
    ['1g', 1024 ** 3],
    ['512 MiB', 512 * 1024 ** 2],
    ['1.5GB', 1.5 * 1024 ** 3],
  ])('reads the size %s', (value, expected) => {
    expect(settingsFrom({ env: { NIGHTPORTER_MEMORY_BYTES: value } }).memoryBytes).toBe(expected);
  });

  it.each([
    ['claude -p "two words"', ['claude', '-p', 'two words']],
    ['["sh", "-c", "a | b"]', ['sh', '-c', 'a | b']],
    ['echo $HOME', ['echo', '${HOME}']],
  ])('splits the command %s without running a shell', (value, expected) => {
    expect(settingsFrom({ env: { NIGHTPORTER_COMMAND: value } }).command).toEqual(expected);
  });

  it('allows the short thresholds with which people try things out', () => {
    const env = {
      NIGHTPORTER_STALE_THRESHOLD_MS: '1000',
      NIGHTPORTER_CLAIM_STUCK_MS: '500',
      NIGHTPORTER_START_GRACE_MS: '0',
      NIGHTPORTER_SWEEP_INTERVAL_MS: '200',
      NIGHTPORTER_BACKOFF_BASE_MS: '50',
    };
    expect(problemsOf({ env })).toEqual([]);
    expect(problemsOf({ env: { NIGHTPORTER_ABSOLUTE_CEILING_MS: '1500' } })).toEqual([]);
    expect(problemsOf({ env: { NIGHTPORTER_OUTBOUND_MAX_BYTES: '1MiB' } })).toEqual([]);
  });

  it('does not take what a container is given for settings, inside one', () => {
    const env = { NIGHTPORTER_EPOCH: '3', NIGHTPORTER_PROVIDER: 'command', NIGHTPORTER_MAX_CLAIMS: '1' };
    expect(settingsFrom({ env })).toMatchObject({ provider: 'echo', maxClaims: 10 });
    expect(settingsFrom({ env: { NIGHTPORTER_PROVIDER: 'command' } }).provider).toBe('command');
  });

  it.each(['NIGHTPORTER_DATA_DIR', 'NIGHTPORTER_RESUME', 'NIGHTPORTER_REQUIRE_ENGINE', 'NIGHTPORTER_HEARTBEAT_MS'])(
    'knows %s, which is no setting',
    (name) => {
      expect(problemsOf({ env: { [name]: '1' } })).toEqual([]);
    },
  );
});

describe('problems with settings', () => {
  it('L24: reports all of them at once, each with its place and what is allowed', () => {
    const file = 'MAX_TRIES: many\nSWEEP_INTERVAL_MS: -5\ngroups:\n  demo:\n    CPUS: 0\n';
    const env = { NIGHTPORTER_FILE_WORKERS: '1.5' };
    const found = problemsOf({ file, env, flags: { RUNTIME: 'podman' } });
    expect(found).toEqual([
      '/data/config.yaml:1: MAX_TRIES must be a whole number from 0 to 20; found "many"',
      '/data/config.yaml:2: SWEEP_INTERVAL_MS must be a duration from 50 ms to 1 h (milliseconds, or text such as 90s, 10m, 2h); found -5',
      'environment variable NIGHTPORTER_FILE_WORKERS must be a whole number from 1 to 64; found "1.5"',
      'option --runtime must be auto, docker or process; found "podman"',
      '/data/config.yaml:5: groups.demo.CPUS must be a number from 0.01 to 1024; found 0',
    ]);
  });

  it('L24: answers an unknown name with the nearest known one', () => {
    const file =
      'MAX_TRYS: 1\ndefaults:\n  provider: echo\ngroups:\n  demo:\n    IDLE_TIMEOUT: 1\n    RUNTIME: docker\n';
    const env = { NIGHTPORTER_STALE_TRESHOLD_MS: '1', NIGHTPORTER_DATADIR: '/x' };
    const found = problemsOf({ file, env, flags: { RUNTIMES: 'docker' } });
    expect(found).toEqual([
      '/data/config.yaml:1: MAX_TRYS is no setting; the nearest known name is MAX_TRIES',
      '/data/config.yaml:3: defaults.provider is no setting of a group; the nearest known name is PROVIDER',
      '/data/config.yaml:6: groups.demo.IDLE_TIMEOUT is no setting of a group; the nearest known name is IDLE_TIMEOUT_MS',
      '/data/config.yaml:7: groups.demo.RUNTIME can only be set for the whole install',
      'environment variable NIGHTPORTER_STALE_TRESHOLD_MS is no setting; the nearest known name is NIGHTPORTER_STALE_THRESHOLD_MS',
      'environment variable NIGHTPORTER_DATADIR is no setting; the nearest known name is NIGHTPORTER_DATA_DIR',
      'option --runtimes is no setting; the nearest known name is RUNTIME',
    ]);
  });

  it('counts them in the first line, and is a usage error', () => {
    const run = (): unknown => settingsFrom({ env: { NIGHTPORTER_MAX_TRIES: '-1', NIGHTPORTER_CPUS: 'x' } });
    expect(run).toThrow(/^2 problems with the settings:\n {2}environment variable NIGHTPORTER_MAX_TRIES must be/);
    expect(run).toThrow(NightporterError);
    expect(run).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it.each([
    ['a name of a group that is none', 'groups:\n  ../up: {}', 'groups.../up is no name of a group'],
    ['groups that are no mapping', 'groups: [a]', 'groups must be a mapping'],
    ['a group that is no mapping', 'groups:\n  demo: 5', 'groups.demo must be a mapping'],
    ['a file that is no mapping', '- a', '/data/config.yaml: must be a mapping'],
    ['the same name twice', 'MAX_TRIES: 1\nMAX_TRIES: 2', ':2: is not valid YAML (DUPLICATE_KEY)'],
    [
      'a name at the top and in defaults',
      'CPUS: 1\ndefaults: { CPUS: 2 }',
      'is set a second time (also at /data/config.yaml:1)',
    ],
    ['a duration without sense', 'IDLE_TIMEOUT_MS: 10 parsecs', 'IDLE_TIMEOUT_MS must be a duration'],
    ['a number where a word belongs', 'RUNTIME: 1', 'RUNTIME must be auto, docker or process'],
    ['a list where a number belongs', 'MAX_TRIES: [1]', 'MAX_TRIES must be a whole number'],
    ['an infinite number', 'CPUS: .inf', 'CPUS must be a number'],
    ['yes or no answered with perhaps', 'COMMAND_OUTPUT_IS_PROGRESS: perhaps', 'must be yes or no'],
    ['a command that needs a shell', 'COMMAND: a | b', 'COMMAND must be a list of texts'],
    ['an empty command', 'COMMAND: []', 'COMMAND must be a list of texts'],
    ['a variable that the host gives itself', 'ENVIRONMENT: [NIGHTPORTER_EPOCH=9]', 'ENVIRONMENT must be'],
    ['a variable with a bad name', 'ENVIRONMENT: ["A B"]', 'ENVIRONMENT must be'],
    ['the network of the host', 'NETWORK: host', 'NETWORK must be none, bridge'],
    ['an image that is an option', 'IMAGE: --privileged', 'IMAGE must be the name of an image'],
  ])('refuses %s', (_, file, expected) => {
    expect(problemsOf({ file }).join('\n')).toContain(expected);
  });

  it('says which file cannot be read, and why', () => {
    const denied: SettingsSources = {
      dataDir: '/data',
      configPath: undefined,
      env: {},
      flags: {},
      readFile: () => {
        throw Object.assign(new Error('denied'), { code: 'EACCES' });
      },
    };
    expect(() => loadSettings(denied)).toThrow('/data/config.yaml: cannot be read (EACCES)');
  });

  it.each([
    ['an environment', 'ENVIRONMENT: ["KEY=sekret", "1="]'],
    ['a command', 'COMMAND: "tool --key sekret | x"'],
    ['text that is no YAML', 'ENVIRONMENT: {KEY: sekret\nsekret2: "'],
    ['the name of a variable', undefined],
  ])('never prints a value of %s', (_, file) => {
    const env = file === undefined ? { NIGHTPORTER_API_KEY: 'sekret' } : {};
    const found = problemsOf(file === undefined ? { env } : { env, file });
    expect(found).not.toEqual([]);
    expect(found.join('\n')).not.toContain('sekret');
  });

  it('L24: keeps to the safe side with periods of retention', () => {
    const settings = settingsFrom({ file: 'KEEP_COMPLETED_DAYS: -3\nDEAD_LETTER_DAYS: lots\n' });
    expect(settings).toMatchObject({ keepCompletedDays: 0, deadLetterDays: 7 });
    expect(settings.warnings).toHaveLength(1);
    expect(settings.warnings[0]).toContain(':2: DEAD_LETTER_DAYS must be a number of days');
  });
});

describe('impossible combinations', () => {
  it('refuses a stale threshold below two heartbeats', () => {
    const env = { NIGHTPORTER_STALE_THRESHOLD_MS: '999', NIGHTPORTER_HEARTBEAT_INTERVAL_MS: '500' };
    expect(problemsOf({ env })).toEqual([
      'STALE_THRESHOLD_MS (999 ms) is below two heartbeat intervals (HEARTBEAT_INTERVAL_MS is 500 ms): healthy ' +
        'containers would be stopped; raise it or lower HEARTBEAT_INTERVAL_MS',
    ]);
    expect(problemsOf({ env: { ...env, NIGHTPORTER_STALE_THRESHOLD_MS: '1000' } })).toEqual([]);
  });

  it('refuses a ceiling below two heartbeats', () => {
    const env = { NIGHTPORTER_ABSOLUTE_CEILING_MS: '1s', NIGHTPORTER_HEARTBEAT_INTERVAL_MS: '501' };
    expect(problemsOf({ env }).join()).toContain('ABSOLUTE_CEILING_MS (1 s) is below two heartbeat intervals');
  });

  it('refuses them in one group, and names it', () => {
    const file = 'HEARTBEAT_INTERVAL_MS: 1m\ngroups:\n  demo:\n    STALE_THRESHOLD_MS: 90s\n';
    expect(problemsOf({ file }).join()).toContain('groups.demo: STALE_THRESHOLD_MS (90 s) is below');
  });

  it('says nothing of a combination whose value is wrong anyway', () => {
    const file = 'HEARTBEAT_INTERVAL_MS: 20m\nSTALE_THRESHOLD_MS: nonsense\nABSOLUTE_CEILING_MS: 2h\n';
    expect(problemsOf({ file })).toHaveLength(1);
  });

  it('refuses an image for all groups on the process runtime', () => {
    const file = 'RUNTIME: process\nIMAGE: agent:1\n';
    expect(problemsOf({ file }).join()).toContain('RUNTIME is process and IMAGE is set for all groups');
  });
});
