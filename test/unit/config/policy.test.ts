import { describe, expect, it } from 'vitest';
import { GROUP_SETTINGS, HOST_SETTINGS, fieldOf, groupSettings, heartbeatIntervalMs } from '../../../src/config.js';
import { policyFor } from '../../../src/config/policy.js';
import type { SettingName } from '../../../src/config.js';
import { dataDirFrom } from '../../../src/config/data-dir.js';
import { describeSettings } from '../../../src/config/reference.js';
import type { GroupName } from '../../../src/protocol/address.js';
import { settingsFrom } from './settings.js';

const demo = 'demo' as GroupName;

describe('policy of a session', () => {
  it('takes the thresholds of its group', () => {
    const settings = settingsFrom({ file: 'LOCKED_STOP_MS: 7s\ngroups:\n  demo:\n    IDLE_TIMEOUT_MS: 3s\n' });
    expect(policyFor(settings, demo, null)).toMatchObject({ idleTimeoutMs: 3000, lockedStopMs: 7000, maxTries: 5 });
    expect(policyFor(settings, 'other' as GroupName, null).idleTimeoutMs).toBe(300_000);
  });

  it.each([
    ['echo', '', true],
    ['command', '', false],
    ['command', 'TURN_TIMEOUT_MS: 1h', true],
    ['command', 'TURN_TIMEOUT_MS: 1h\nCOMMAND_OUTPUT_IS_PROGRESS: no', false],
    ['command', 'TURN_TIMEOUT_MS: off', false],
  ])('judges the progress of %s with "%s": %s', (provider, file, judged) => {
    expect(policyFor(settingsFrom({ file }), demo, provider).progressJudged).toBe(judged);
    const ofGroup = settingsFrom({ file: `${file}\nPROVIDER: ${provider}` });
    expect(policyFor(ofGroup, demo, null).progressJudged).toBe(judged);
  });

  it.each([
    ['', 10_000],
    ['STALE_THRESHOLD_MS: 6s', 1000],
    ['ABSOLUTE_CEILING_MS: 3s', 500],
    ['STALE_THRESHOLD_MS: 100', 16],
    ['HEARTBEAT_INTERVAL_MS: 2s', 2000],
    ['HEARTBEAT_INTERVAL_MS: auto', 10_000],
  ])('asks runners for the heartbeat that suits "%s": %i ms', (file, expected) => {
    expect(heartbeatIntervalMs(groupSettings(settingsFrom({ file }), demo))).toBe(expected);
  });
});

describe('what config prints', () => {
  it('has every setting with its value and where it came from', () => {
    const settings = settingsFrom({
      file: 'groups:\n  demo:\n    MAX_TRIES: 1\n',
      env: { NIGHTPORTER_IDLE_TIMEOUT_MS: '90000' },
    });
    const rows = describeSettings(settings);
    const names = [...Object.keys(HOST_SETTINGS.shape), ...Object.keys(GROUP_SETTINGS.shape)];
    expect(rows.map(({ name }) => name)).toEqual([...names, 'groups.demo.MAX_TRIES']);
    expect(rows.find(({ name }) => name === 'IDLE_TIMEOUT_MS')).toEqual({
      name: 'IDLE_TIMEOUT_MS',
      value: 90_000,
      unit: 'milliseconds',
      shown: '90 s',
      from: 'environment',
      source: 'NIGHTPORTER_IDLE_TIMEOUT_MS',
      secret: false,
    });
    expect(rows.at(-1)).toMatchObject({ value: 1, from: 'file', source: '/data/config.yaml:3' });
    expect(rows[0]).toMatchObject({ name: 'SWEEP_INTERVAL_MS', value: 60_000, from: 'default', source: 'default' });
  });

  it('never shows what may be secret', () => {
    const file = 'COMMAND: [tool, --key, sekret]\nENVIRONMENT: [KEY=sekret, OTHER]\n';
    const printed = JSON.stringify(describeSettings(settingsFrom({ file })));
    expect(printed).not.toContain('sekret');
    expect(printed).toContain('tool');
    expect(printed).toContain('KEY');
  });

  it('finds the field of every setting', () => {
    const settings = settingsFrom();
    for (const name of [...Object.keys(HOST_SETTINGS.shape), ...Object.keys(GROUP_SETTINGS.shape)]) {
      expect(settings).toHaveProperty(fieldOf(name as SettingName));
    }
  });
});

describe('data dir', () => {
  it.each([
    ['the option first', { flag: '/a', env: { NIGHTPORTER_DATA_DIR: '/b' }, uid: 0 }, '/a'],
    ['the variable next', { flag: undefined, env: { NIGHTPORTER_DATA_DIR: '/b' }, uid: 0 }, '/b'],
    ['/var/lib for root', { flag: undefined, env: { HOME: '/root' }, uid: 0 }, '/var/lib/nightporter'],
    ['the state folder', { flag: undefined, env: { XDG_STATE_HOME: '/s', HOME: '/h' }, uid: 7 }, '/s/nightporter'],
    ['the home', { flag: undefined, env: { HOME: '/h' }, uid: 7 }, '/h/.local/state/nightporter'],
    [
      'the home, XDG being relative',
      { flag: '', env: { XDG_STATE_HOME: 's', HOME: '/h' }, uid: 7 },
      '/h/.local/state/nightporter',
    ],
  ])('is %s', (_, given, expected) => {
    expect(dataDirFrom(given)).toBe(expected);
  });

  it('is absolute', () => {
    expect(dataDirFrom({ flag: './data', env: {}, uid: 7 })).toBe(`${process.cwd()}/data`);
  });

  it('is asked for where there is no home', () => {
    expect(() => dataDirFrom({ flag: undefined, env: {}, uid: 7 })).toThrow('--data-dir');
  });
});
