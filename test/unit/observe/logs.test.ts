import { describe, expect, it } from 'vitest';
import { createLog } from '../../../src/observe/logs.js';
import type { LogLevel } from '../../../src/observe/logs.js';
import { rawControls, STEERING } from '../../support/control-characters.js';

function openLog(level: LogLevel | (() => LogLevel) = 'info') {
  const lines: Record<string, unknown>[] = [];
  const clock = { nowMs: 0 };
  const sink = { write: (text: string) => lines.push(JSON.parse(text) as Record<string, unknown>) };
  return { lines, clock, log: createLog(level, { sink, monotonic: () => clock.nowMs }) };
}

describe('the log', () => {
  it('F31: leaves repeats out and says how many, whatever their numbers', () => {
    const { lines, clock, log } = openLog();
    const child = log.child({ component: 'rounds' });
    for (let failures = 1; failures <= 20; failures += 1) {
      clock.nowMs = failures * 10_000;
      child.error({ err: new Error(`no answer in ${String(failures)} ms`), session: 'a/b', failures }, 'failed');
    }
    expect(lines.map(({ failures, repeated }) => ({ failures, repeated }))).toEqual([
      { failures: 1, repeated: undefined },
      { failures: 7, repeated: 5 },
      { failures: 19, repeated: 11 },
    ]);
    expect(lines[1]).toMatchObject({ level: 'error', component: 'rounds', session: 'a/b', msg: 'failed' });
  });

  it('F38: carries nothing to a terminal that would steer it, and says exactly what was written', () => {
    const written: string[] = [];
    const log = createLog('info', { sink: { write: (line: string) => written.push(line) } });
    log.warn({ detail: STEERING, err: new Error(STEERING) }, 'notice');
    expect(rawControls(written.join(''))).toEqual([]);
    expect(JSON.parse(written.join(''))).toMatchObject({ detail: STEERING, err: { message: STEERING } });
  });

  it('writes the same of another session, component or level', () => {
    const { lines, log } = openLog();
    log.child({ component: 'a' }).warn({ session: 'a/b' }, 'failed');
    log.child({ component: 'b' }).warn({ session: 'a/b' }, 'failed');
    log.child({ component: 'b' }).warn({ session: 'a/c' }, 'failed');
    log.child({ component: 'b' }).error({ session: 'a/c' }, 'failed');
    expect(lines).toHaveLength(4);
  });

  it('counts in lines without fields too, and writes all of debug', () => {
    const { lines, clock, log } = openLog('debug');
    for (let n = 0; n < 3; n += 1) log.warn('odd');
    for (let n = 0; n < 3; n += 1) log.debug('fine');
    clock.nowMs = 61_000;
    log.warn('odd');
    expect(lines.map(({ msg, repeated }) => [msg, repeated])).toEqual([
      ['odd', undefined],
      ['fine', undefined],
      ['fine', undefined],
      ['fine', undefined],
      ['odd', 2],
    ]);
  });

  it('L24: takes a level that may change from the next line on, in children that were made before', () => {
    let level: LogLevel = 'info';
    const { lines, log } = openLog(() => level);
    const child = log.child({ component: 'rounds' });
    child.debug('1');
    level = 'debug';
    child.debug('2');
    child.trace('3');
    level = 'error';
    child.warn('4');
    log.error('5');
    level = 'silent';
    log.fatal('6');
    expect(lines.map(({ msg }) => msg)).toEqual(['2', '5']);
  });
});
