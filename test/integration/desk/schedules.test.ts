import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeskApi, Streamed } from '../../../src/desk/api.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { inboundRows, claimed, byHand } from '../../support/series-files.js';

let fixture: DeskFixture;
let api: DeskApi;
beforeEach(() => {
  fixture = openDeskFixture();
  api = deskApi(fixture.desk);
});
afterEach(() => fixture.close());

const DAILY = { session: 'demo/first', text: 'tick', id: 'daily', cron: '0 9 * * *', tz: 'Europe/Berlin' };

async function rowsOf<T>(rows: AsyncIterable<Streamed<T>>): Promise<T[]> {
  const found: T[] = [];
  for await (const line of rows) {
    if ('problem' in line) throw new Error(line.problem);
    found.push(line.row);
  }
  return found;
}

const list = () => rowsOf(api.schedules({}));

describe('a series', () => {
  it('is listed from the moment at which it is accepted, and the same once it is in its file', async () => {
    await api.send(DAILY);
    const spooled = await list();
    expect(spooled).toMatchObject([
      { session: 'demo/first', series: 'daily', cron: '0 9 * * *', timezone: 'Europe/Berlin', paused: false },
    ]);
    expect(spooled[0]).toMatchObject({ lastStatus: null, missed: 'latest' });
    expect(Date.parse(spooled[0]?.next ?? '')).toBeGreaterThan(Date.now());

    await fixture.look('demo/first');

    expect(await list()).toEqual(spooled);
    expect(await rowsOf(api.schedules({ session: 'demo/first' }))).toEqual(spooled);
  });

  it('is the same message when it is sent again, whenever that is; with another schedule it is refused', async () => {
    expect((await api.send(DAILY)).duplicate).toBe(false);
    expect((await api.send(DAILY)).duplicate).toBe(true);
    await expect(api.send({ ...DAILY, cron: '0 10 * * *' })).rejects.toMatchObject({ code: 'refused' });
  });

  it('F11: pausing it while an occurrence is under way lets that finish, and runs no further one', async () => {
    await api.send(DAILY);
    await fixture.look('demo/first');
    claimed(fixture.dataDir, 'demo/first', 'daily');

    const paused = await api.changeSchedule('demo/first', 'daily', { change: 'pause' });

    expect(paused).toMatchObject({ paused: true, next: null, changed: true, underWay: true });
    expect(inboundRows(fixture.dataDir, 'demo/first')).toMatchObject([{ id: 'daily', status: 'paused' }]);
    expect(await api.changeSchedule('demo/first', 'daily', { change: 'pause' })).toMatchObject({ changed: false });
  });

  it('goes on after a pause with the next time, not with what fell into it', async () => {
    await api.send(DAILY);
    await api.changeSchedule('demo/first', 'daily', { change: 'pause' });
    byHand(fixture.dataDir, 'demo/first', (db) =>
      db.exec(
        `UPDATE messages_in SET occurrence = '2026-01-01T08:00:00.000Z', process_after = '2026-01-01T08:00:00.000Z'`,
      ),
    );

    const resumed = await api.changeSchedule('demo/first', 'daily', { change: 'resume' });

    expect(Date.parse(resumed.next ?? '')).toBeGreaterThan(Date.now());
    expect(resumed).toMatchObject({ paused: false, changed: true });
    expect(fixture.rounds.hints).toContain('demo/first');
  });

  it('is set to another schedule: its next run is computed anew, text and policy are those of the occurrences to come', async () => {
    await api.send(DAILY);
    const set = { change: 'set', cron: ' 30  6 * * * ', tz: 'UTC', missed: 'skip', text: 'tock' } as const;
    const view = await api.changeSchedule('demo/first', 'daily', set);

    expect(view).toMatchObject({ cron: '30 6 * * *', timezone: 'UTC', missed: 'skip' });
    expect(view.next).toMatch(/T06:30:00\.000Z$/);
    expect(inboundRows(fixture.dataDir, 'demo/first')).toMatchObject([
      { recurrence: '30 6 * * *', content: '{"text":"tock"}', occurrence: view.next, process_after: view.next },
    ]);
  });

  it('is set while an occurrence is under way: that one keeps its time', async () => {
    await api.send(DAILY);
    await fixture.look('demo/first');
    const [before] = inboundRows(fixture.dataDir, 'demo/first');
    claimed(fixture.dataDir, 'demo/first', 'daily');

    const view = await api.changeSchedule('demo/first', 'daily', { change: 'set', cron: '30 6 * * *' });

    expect(view).toMatchObject({ underWay: true });
    expect(inboundRows(fixture.dataDir, 'demo/first')).toMatchObject([
      { recurrence: '30 6 * * *', occurrence: before?.occurrence, process_after: before?.process_after },
    ]);
  });

  it('is run by hand beside its schedule, as a message of its own', async () => {
    await api.send(DAILY);
    const view = await api.changeSchedule('demo/first', 'daily', { change: 'run-now' });

    const rows = inboundRows(fixture.dataDir, 'demo/first');
    expect(rows.map(({ id }) => id)).toEqual(['daily', view.message]);
    expect(rows[1]).toMatchObject({
      recurrence: null,
      series_id: 'daily',
      status: 'pending',
      content: '{"text":"tick"}',
    });
    expect(await list()).toHaveLength(1);
  });

  it('is cancelled: it runs no more, its history stays, its id is not taken for the same message again', async () => {
    await api.send(DAILY);
    await api.changeSchedule('demo/first', 'daily', { change: 'cancel' });
    await fixture.look('demo/first');

    expect(await list()).toEqual([]);
    expect(inboundRows(fixture.dataDir, 'demo/first')).toMatchObject([{ status: 'completed', recurrence: null }]);
    expect(await api.showSchedule('demo/first', 'daily')).toMatchObject({
      schedule: null,
      times: [],
      occurrences: [{ id: 'daily', errorClass: 'cancelled' }],
    });
    await expect(api.send(DAILY)).rejects.toMatchObject({ code: 'refused' });
    await expect(api.changeSchedule('demo/first', 'daily', { change: 'pause' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('is cancelled while an occurrence is under way: that one is finished, and the last', async () => {
    await api.send(DAILY);
    await fixture.look('demo/first');
    claimed(fixture.dataDir, 'demo/first', 'daily');

    await api.changeSchedule('demo/first', 'daily', { change: 'cancel' });

    expect(inboundRows(fixture.dataDir, 'demo/first')).toMatchObject([{ status: 'pending', recurrence: null }]);
  });

  it('shows its next times over a change of the clocks', async () => {
    await api.send({ ...DAILY, after: '2030-03-30T00:00:00Z' });
    expect((await api.showSchedule('demo/first', 'daily')).times.slice(0, 2)).toEqual([
      '2030-03-30T08:00:00.000Z',
      '2030-03-31T07:00:00.000Z',
    ]);
  });
});

describe('what is no schedule is refused at the door (F12)', () => {
  it.each([
    ['an empty one', { cron: '' }, /0 fields, not 5/],
    ['six fields', { cron: '0 0 * * * *' }, /6 fields, not 5/],
    ['H', { cron: 'H * * * *' }, /"H" is no minute/],
    ['@reboot', { cron: '@reboot' }, /1 fields, not 5/],
    ['30 February', { cron: '0 0 30 2 *' }, /no cron expression/],
    ['an unknown zone', { cron: '0 0 * * *', tz: 'Europe/Berln' }, /did you mean "Europe\/Berlin"/],
    ['an unknown policy', { cron: '0 0 * * *', missed: 'never' }, /latest .* skip .* all/],
    ['a zone alone', { tz: 'UTC' }, /belongs to a recurring message/],
    ['a policy alone', { missed: 'all' }, /belongs to a recurring message/],
    ['one that wakes nothing', { cron: '0 0 * * *', noWake: true }, /leave out one of/],
  ])('%s', async (_, fields, why) => {
    await expect(api.send({ session: 'demo/first', text: 'x', ...fields })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(why) as string,
    });
    expect(fixture.registry.totals().messages.spooled).toBe(0);
  });

  it('nothing to set, an unknown series, an unknown session', async () => {
    await api.send(DAILY);
    const change = (session: string, series: string) => api.changeSchedule(session, series, { change: 'set' });
    await expect(change('demo/first', 'daily')).rejects.toMatchObject({ code: 'usage' });
    await expect(change('demo/first', 'nightly')).rejects.toMatchObject({ code: 'not_found' });
    await expect(change('demo/second', 'daily')).rejects.toMatchObject({ code: 'not_found' });
    await expect(api.showSchedule('demo/first', 'nightly')).rejects.toMatchObject({ code: 'not_found' });
  });
});
