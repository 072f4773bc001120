import { describe, expect, it } from 'vitest';
import { reloadSettings } from '../../../src/config/reload.js';
import type { Reload } from '../../../src/config/reload.js';
import { settingsFrom } from './settings.js';

const reload = (before: string | undefined, after: string | undefined): Reload => {
  const inEffect = settingsFrom(before === undefined ? {} : { file: before });
  const fileExpected = inEffect.file !== null;
  return reloadSettings(inEffect, () =>
    settingsFrom({ ...(after === undefined ? {} : { file: after }), fileExpected }),
  );
};

function problemsOf(outcome: Reload): readonly string[] {
  if (outcome.kind === 'reloaded') throw new Error('not refused');
  return outcome.problems;
}

describe('reading the settings again', () => {
  it('L24: refuses all of them for one problem, and names every one, with the nearest known name', () => {
    const problems = problemsOf(reload('MAX_TRIES: 2', 'MAX_TRIES: 3\nMAX_TRYS: 3\nSWEEP_INTERVAL_MS: soon'));
    expect(problems).toHaveLength(2);
    expect(problems[0]).toBe('/data/config.yaml:2: MAX_TRYS is no setting; the nearest known name is MAX_TRIES');
    expect(problems[1]).toContain('/data/config.yaml:3: SWEEP_INTERVAL_MS must be a duration');
  });

  it('L24: refuses to go on without a file that was there, and wants none where there was none', () => {
    expect(problemsOf(reload('', undefined))).toEqual([
      '/data/config.yaml: there is no such file any more; put it back, or an empty one for the defaults',
    ]);
    expect(reload(undefined, undefined)).toMatchObject({ kind: 'reloaded', changed: [] });
    expect(reload('MAX_TRIES: 2', '')).toMatchObject({ kind: 'reloaded', settings: { maxTries: 5 } });
  });

  it('L24: refuses what could not work together with what takes a restart', () => {
    const problems = problemsOf(reload('RUNTIME: process', 'RUNTIME: docker\nIMAGE: node'));
    expect(problems).toEqual([expect.stringMatching(/^RUNTIME is process and IMAGE is set .*: restart the daemon$/)]);
    expect(reload('RUNTIME: docker', 'RUNTIME: docker\nIMAGE: node')).toMatchObject({ kind: 'reloaded' });
  });

  it('L24: lets any other error through', () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    expect(() => reloadSettings(settingsFrom(), broken)).toThrow('broken');
  });
});
