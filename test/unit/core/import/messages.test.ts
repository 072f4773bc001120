import { describe, expect, it } from 'vitest';
import { mapContent } from '../../../../src/core/import/content.js';
import type { ForeignAnswer, ForeignMessage, ForeignSeriesRow } from '../../../../src/core/import/foreign.js';
import { mapAnswer, mapMessage } from '../../../../src/core/import/messages.js';
import { isResumeKey, planSeries } from '../../../../src/core/import/series.js';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const AT = '2026-05-01T00:00:00.000Z';
const foreign = (more: Partial<ForeignMessage> = {}): ForeignMessage => ({
  ...{
    mark: 9,
    id: 'm',
    seq: 4,
    kind: 'chat',
    timestamp: AT,
    status: 'pending',
    processAfter: null,
    seriesId: 'm',
    tries: 1,
  },
  ...{
    trigger: 1,
    onWake: 0,
    platformId: 'p',
    channelType: 'c',
    threadId: 't',
    sourceSessionId: null,
    content: '{"text":"x"}',
    ack: null,
  },
  ...more,
});
const seriesRow = (more: Partial<ForeignSeriesRow> = {}): ForeignSeriesRow => ({
  ...{ id: 'm', seriesId: null, status: 'pending', recurrence: '0 7 * * *', processAfter: null, ack: null },
  ...more,
});
const map = (message: ForeignMessage, rows: readonly ForeignSeriesRow[] = []) =>
  mapMessage(message, { zone: 'UTC', nowMs: NOW, series: planSeries(rows), files: [] });
const leftWith = (reason: string, of = 'm') => ({
  rows: [],
  notes: [{ kind: 'left', reason: expect.stringContaining(reason) as string, of }],
});

describe('messages that are imported', () => {
  it('are as they were', () => {
    expect(map(foreign())).toEqual({
      notes: [],
      rows: [
        {
          ...{
            id: 'm',
            seq: 4,
            kind: 'chat',
            timestampMs: Date.parse(AT),
            status: 'pending',
            processAfterMs: null,
            tries: 1,
          },
          ...{
            recurrence: null,
            seriesId: null,
            timezone: null,
            occurrenceMs: null,
            missed: null,
            trigger: true,
            onWake: false,
          },
          ...{ platformId: 'p', channelType: 'c', threadId: 't', sourceSessionId: null, content: '{"text":"x"}' },
          ...{ finishedAtMs: null, error: null },
        },
      ],
    });
  });

  it('have defaults for what is missing or odd', () => {
    const odd = foreign({
      seq: -1,
      kind: null,
      timestamp: 'once',
      status: null,
      tries: -3,
      trigger: null,
      onWake: 1,
      seriesId: 'other s',
    });
    expect(map(odd).rows).toMatchObject([
      {
        seq: null,
        kind: 'chat',
        timestampMs: NOW,
        tries: 0,
        trigger: true,
        onWake: true,
        seriesId: expect.stringMatching(/^other-s-/) as string,
      },
    ]);
    expect(map(foreign({ seq: 0 })).rows).toMatchObject([{ seq: null }]);
    expect(map(foreign({ tries: null, seq: null, timestamp: '2030-01-01' })).rows).toMatchObject([
      { tries: 0, seq: null, timestampMs: NOW },
    ]);
    expect(map(foreign({ tries: 1e9, trigger: 0 })).rows).toMatchObject([{ tries: 1_000, trigger: false }]);
  });

  it('are left where nothing could be done with them', () => {
    expect(map(foreign({ id: null }))).toEqual(leftWith('without a readable id', 'row 9'));
    expect(map(foreign({ id: '' }))).toEqual(leftWith('without a readable id', ''));
    expect(map(foreign({ content: null }))).toEqual(leftWith('MESSAGE_MAX_BYTES'));
    expect(map(foreign({ status: 'archived' }))).toEqual(leftWith('unknown here ("archived")'));
    expect(map(foreign({ status: 'x'.repeat(41) }))).toEqual(leftWith(`unknown here ("${'x'.repeat(40)}")`));
    expect(map(foreign({ processAfter: 'soon' }))).toEqual(leftWith('process_after is no time'));
    expect(map(foreign({ status: 'paused' }))).toEqual(leftWith('does not recur'));
  });

  it('F7: are pending while they are claimed', () => {
    expect(map(foreign({ status: 'processing', processAfter: AT })).rows).toMatchObject([
      { status: 'pending', processAfterMs: Date.parse(AT) },
    ]);
    expect(map(foreign({ ack: { status: 'processing', changedAt: AT } })).rows).toMatchObject([{ status: 'pending' }]);
  });

  it('F8: have ended as their runner said, when it said so', () => {
    const failed = map(foreign({ status: 'completed', ack: { status: 'failed', changedAt: AT } }));
    expect(failed.rows).toMatchObject([
      { status: 'failed', finishedAtMs: Date.parse(AT), error: 'failed in NanoClaw' },
    ]);
    expect(
      map(foreign({ ack: { status: 'completed', changedAt: 'x' }, processAfter: '2026-05-03' })).rows,
    ).toMatchObject([
      {
        status: 'completed',
        finishedAtMs: Date.parse('2026-05-03'),
        processAfterMs: Date.parse('2026-05-03'),
        error: null,
      },
    ]);
    expect(map(foreign({ status: 'failed', processAfter: '2030-01-01' })).rows).toMatchObject([{ finishedAtMs: NOW }]);
    expect(map(foreign({ ack: { status: 'script-skip:error', changedAt: AT } })).rows).toMatchObject([
      { status: 'failed', finishedAtMs: Date.parse(AT) },
    ]);
    expect(map(foreign({ status: 'completed' })).rows).toMatchObject([
      { finishedAtMs: Date.parse(AT), processAfterMs: null },
    ]);
  });

  it('carry their series on', () => {
    const due = '2026-06-02T07:00:00.000Z';
    const live = map(foreign({ processAfter: due, seriesId: 'first' }), [
      seriesRow({ seriesId: 'first', recurrence: ' 0  7 * * * ', processAfter: due }),
    ]);
    expect(live).toMatchObject({
      notes: [],
      rows: [
        {
          status: 'pending',
          recurrence: '0 7 * * *',
          seriesId: 'first',
          timezone: 'UTC',
          missed: 'latest',
          occurrenceMs: Date.parse(due),
          processAfterMs: Date.parse(due),
        },
      ],
    });
    expect(map(foreign({ status: 'paused', seriesId: null }), [seriesRow({ status: 'paused' })]).rows).toMatchObject([
      { status: 'paused', seriesId: 'm', occurrenceMs: Date.parse(AT) },
    ]);
  });

  it('F9: series go on after an occurrence that had ended, whatever its end', () => {
    for (const status of ['completed', 'failed']) {
      const rows = [
        seriesRow({ id: 'old', seriesId: 'm', status, processAfter: '2026-01-01' }),
        seriesRow({ status, processAfter: AT }),
      ];
      const { rows: made, notes } = map(foreign({ status, tries: 3 }), rows);
      expect(made).toMatchObject([
        { id: 'm', status, recurrence: null, seriesId: 'm' },
        {
          id: 'm@20260602T070000Z',
          seq: null,
          status: 'pending',
          recurrence: '0 7 * * *',
          tries: 0,
          timestampMs: NOW,
          occurrenceMs: Date.parse('2026-06-02T07:00:00Z'),
          finishedAtMs: null,
          error: null,
        },
      ]);
      expect(notes).toMatchObject([{ kind: 'changed', reason: expect.stringContaining(`had ${status}`) as string }]);
      expect(map(foreign({ id: 'old', status }), rows)).toMatchObject({
        rows: [{ id: 'old', recurrence: null }],
        notes: [],
      });
    }
  });

  it('F10: only the earliest of the live rows of a series carries it on', () => {
    const rows = [
      seriesRow({ seriesId: 's', processAfter: '2026-07-02' }),
      seriesRow({ id: 'b', seriesId: 's', processAfter: '2026-07-01' }),
    ];
    expect([...planSeries(rows).roles].map(([id, { kind }]) => [id, kind]).sort()).toEqual([
      ['b', 'live'],
      ['m', 'one_shot'],
    ]);
    expect(map(foreign({ seriesId: 's' }), rows)).toMatchObject({
      rows: [{ recurrence: null, status: 'pending' }],
      notes: [{ kind: 'changed', reason: 'a second row of a series that goes on: it runs once', of: 'm' }],
    });
    const withEnded = [...rows, seriesRow({ id: 'c', seriesId: 's', status: 'completed' })];
    expect(planSeries(withEnded).roles).toEqual(planSeries(rows).roles);
    const withBad = [...rows, seriesRow({ id: 'a', seriesId: 's', recurrence: 'never', processAfter: '2026-06-30' })];
    expect([...planSeries(withBad).roles].map(([id, { kind }]) => [id, kind])).toEqual([
      ['a', 'left'],
      ['b', 'live'],
      ['m', 'one_shot'],
    ]);
  });

  it('are history where their series never fires again', () => {
    const plan = planSeries([seriesRow({ status: 'completed' })]);
    const role = plan.roles.get('m');
    if (role?.kind !== 'successor') throw new Error('no successor');
    const never = { ...role, cron: { ...role.cron, months: new Set<number>() } };
    const series = { ids: plan.ids, roles: new Map([['m', never]]) };
    const mapped = mapMessage(foreign({ status: 'completed' }), { zone: 'UTC', nowMs: NOW, series, files: [] });
    expect(mapped).toMatchObject({
      rows: [{ status: 'completed' }],
      notes: [{ kind: 'left', reason: 'a series that never fires again' }],
    });
  });

  it('F12: a schedule that is none here is listed; its history stays', () => {
    const rows = [seriesRow({ recurrence: '@every:5' })];
    expect(map(foreign(), rows)).toEqual(leftWith('a series: its schedule is none here'));
    const ended = map(foreign({ status: 'completed' }), [seriesRow({ recurrence: '@every:5', status: 'completed' })]);
    expect(ended).toMatchObject({
      rows: [{ status: 'completed', recurrence: null }],
      notes: [{ kind: 'left', reason: expect.stringContaining('a series: its schedule is none here') as string }],
    });
  });

  it('have new ids where the old ones do not fit', () => {
    const { rows, notes } = map(foreign({ id: 'a:b', seriesId: 'a:b' }));
    expect(rows).toMatchObject([{ id: expect.stringMatching(/^a-b-/) as string, seriesId: null }]);
    expect(notes).toEqual([
      { kind: 'changed', reason: 'an id of a message that does not fit has a new one', of: 'a:b' },
    ]);
    const ended = map(foreign({ id: 'a:b', seriesId: null, status: 'completed' }), [
      seriesRow({ id: 'a:b', status: 'completed' }),
    ]);
    expect(ended.rows.map(({ id }) => id)).toEqual([rows[0]?.id, `${rows[0]?.id ?? ''}@20260602T070000Z`]);
  });
});

describe('contents that are imported', () => {
  const files = [{ name: 'a.txt', bytes: 3 }];

  it('stay as they are, to the byte, where there is nothing to add', () => {
    for (const content of [
      'not json',
      '[1]',
      'null',
      '"x"',
      '{ "text": "x" }',
      '{"prompt":1}',
      '{"text":"t","prompt":"p"}',
    ]) {
      expect(mapContent(content, 'm', files)).toBe(content);
    }
    expect(mapContent('{ "attachments": [] }', 'm', [])).toBe('{ "attachments": [] }');
  });

  it('say the prompt of a task as its text', () => {
    expect(JSON.parse(mapContent('{"prompt":"do","script":null}', 'm', []))).toEqual({
      prompt: 'do',
      script: null,
      text: 'do',
    });
  });

  it('say where attachments are now', () => {
    const others = [null, { name: 'b' }, { localPath: 'inbox/old/gone.txt' }];
    const content = JSON.stringify({ text: 'x', attachments: [{ localPath: 'inbox/old/a.txt', size: 9 }, ...others] });
    expect(JSON.parse(mapContent(content, 'new', files))).toEqual({
      text: 'x',
      attachments: [
        { localPath: 'inbox/new/a.txt', size: 9, name: 'a.txt', path: 'inbox/new/a.txt', bytes: 3 },
        ...others,
      ],
    });
  });
});

describe('answers that are imported', () => {
  const answer = (more: Partial<ForeignAnswer> = {}): ForeignAnswer => ({
    ...{
      mark: 3,
      id: 'a',
      seq: 5,
      inReplyTo: 'm:1',
      timestamp: AT,
      deliverAfter: null,
      kind: 'chat',
      platformId: null,
      channelType: null,
    },
    ...{ threadId: null, content: '{"text":"y"}', delivered: null },
    ...more,
  });

  it('are as they were, and name their message as it is called now', () => {
    const { row, notes } = mapAnswer(answer());
    expect(row).toMatchObject({
      id: 'a',
      seq: 5,
      inReplyTo: expect.stringMatching(/^m-1-/) as string,
      timestamp: AT,
      content: '{"text":"y"}',
    });
    expect(notes).toEqual([]);
    expect(mapAnswer(answer({ inReplyTo: null, timestamp: null, kind: null })).row).toMatchObject({
      inReplyTo: null,
      timestamp: '',
      kind: 'chat',
    });
  });

  it('are listed where they cannot be brought, or not under their id', () => {
    const left = (reason: string, of: string) => ({ row: null, notes: [{ kind: 'left', reason, of }] });
    expect(mapAnswer(answer({ id: null }))).toEqual(left('an answer without a readable id', 'row 3'));
    expect(mapAnswer(answer({ id: '' }))).toEqual(left('an answer without a readable id', ''));
    const tooLong = 'an answer whose content is over the limit (MESSAGE_MAX_BYTES)';
    expect(mapAnswer(answer({ content: null }))).toEqual(left(tooLong, 'a'));
    expect(mapAnswer(answer({ id: 'a/b' }))).toMatchObject({
      row: { id: expect.stringMatching(/^a-b-/) as string },
      notes: [{ kind: 'changed', reason: 'an id of an answer that does not fit has a new one', of: 'a/b' }],
    });
  });

  it('go with the ids of provider sessions, and nothing else of the state', () => {
    expect(['sdk_session_id', 'continuation:claude', 'token_usage', 'x'].filter(isResumeKey)).toEqual([
      'sdk_session_id',
      'continuation:claude',
    ]);
  });
});
