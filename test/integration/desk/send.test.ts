import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeskApi, SendInput } from '../../../src/desk/api.js';
import { chunksOf, openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';

let fixture: DeskFixture;
let api: DeskApi;

beforeEach(() => {
  fixture = openDeskFixture({ messageMaxBytes: 2048 });
  api = deskApi(fixture.desk);
});
afterEach(() => fixture.close());

const DEMO: SendInput = { session: 'demo/first', text: 'hello' };

function spooled(session = 'demo/first') {
  const record = [...fixture.registry.eachSession()].find(({ address }) => address === session);
  return record === undefined ? [] : fixture.registry.spooled(record.address, 100);
}

describe('send', () => {
  it('accepts into the spool, creates the session and hints at it', async () => {
    const sent = await api.send(DEMO);
    expect(sent).toEqual({ session: 'demo/first', id: sent.id, duplicate: false });
    expect(spooled()).toMatchObject([
      { id: sent.id, kind: 'chat', content: '{"text":"hello"}', trigger: true, processAfterMs: null },
    ]);
    expect(fixture.rounds.hints).toEqual(['demo/first']);
  });

  it('takes id, kind, time and noWake', async () => {
    await api.send({ ...DEMO, id: 'a1', kind: 'task', after: '2030-01-31 08:30', noWake: true });
    expect(spooled()).toMatchObject([
      { id: 'a1', kind: 'task', trigger: false, processAfterMs: Date.UTC(2030, 0, 31, 8, 30) },
    ]);
  });

  it('accepts the same id and content once, and refuses other content (F24)', async () => {
    await api.send({ ...DEMO, id: 'a1' });
    expect(await api.send({ ...DEMO, id: 'a1' })).toEqual({ session: 'demo/first', id: 'a1', duplicate: true });
    await expect(api.send({ ...DEMO, id: 'a1', text: 'other' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('a1 of demo/first is known with other content') as string,
    });
    expect(spooled()).toHaveLength(1);
  });

  it.each<[string, Partial<SendInput>, RegExp]>([
    ['an address without a slash', { session: 'demo' }, /"demo" is no session address/],
    ['an address that climbs', { session: 'demo/..' }, /is no session address/],
    ['an address of three parts', { session: 'a/b/c' }, /is no session address/],
    ['a bad date', { after: '2030-02-30' }, /"2030-02-30" is no time for after/],
    ['a relative date', { after: 'tomorrow' }, /"tomorrow" is no time/],
    ['a bad id', { id: '../x' }, /is no message id/],
    ['a bad kind', { kind: '' }, /is no kind of message/],
  ])('refuses %s as usage, and accepts nothing', async (_what, input, message) => {
    await expect(api.send({ ...DEMO, ...input })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message) as string,
    });
    expect([...fixture.registry.eachSession()]).toEqual([]);
  });

  it('refuses what is larger than MESSAGE_MAX_BYTES and names both numbers', async () => {
    const most = 2048 - '{"text":""}'.length;
    await expect(api.send({ ...DEMO, text: 'x'.repeat(most + 1) })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/2049 bytes.*2048 \(MESSAGE_MAX_BYTES\)/) as string,
    });
    await api.send({ ...DEMO, text: 'x'.repeat(most) });
    // Bytes count, not characters.
    await expect(api.send({ ...DEMO, text: 'ü'.repeat(most) })).rejects.toMatchObject({ code: 'usage' });
  });

  it('refuses a case twin of a session', async () => {
    await api.send(DEMO);
    await expect(api.send({ ...DEMO, session: 'demo/First' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('differs only in case from the existing session demo/first') as string,
    });
  });

  it('refuses a closed session, and takes it again once it is open', async () => {
    await api.send(DEMO);
    await api.changeSession('demo/first', 'close');
    await expect(api.send(DEMO)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('"nightporter session reopen demo/first"') as string,
    });
    await api.changeSession('demo/first', 'reopen');
    await api.send(DEMO);
    expect(spooled()).toHaveLength(2);
  });

  it('accepts for held, suspended and quarantined sessions', async () => {
    await api.send(DEMO);
    const { address } = [...fixture.registry.eachSession()][0] ?? {};
    if (address === undefined) throw new Error('no session');
    fixture.registry.setQuarantine(address, { file: 'outbound.db', detail: 'a link', sinceMs: 1 });
    fixture.registry.saveGuard(address, {
      ...fixture.registry.guard(address),
      heldSinceMs: 1,
      holdReason: 'fruitless_starts',
    });
    await api.changeSession('demo/first', 'suspend');
    await api.send(DEMO);
    expect(spooled()).toHaveLength(2);
  });
});

describe('send --batch', () => {
  const line = (fields: object): string => `${JSON.stringify(fields)}\n`;

  it('accepts all lines in order, over chunk borders, without a last newline', async () => {
    const text = line({ session: 'a/x', text: 'ä1', id: '1' }) + '\n' + line({ session: 'a/y', text: '2' }).trimEnd();
    const bytes = Buffer.from(text);
    const cutInsideUmlaut = bytes.indexOf(0xc3) + 1;
    const view = await api.sendBatch(
      chunksOf(bytes.subarray(0, cutInsideUmlaut), bytes.subarray(cutInsideUmlaut)),
      undefined,
    );
    expect(view).toEqual({ accepted: 2, duplicates: 0 });
    expect(spooled('a/x')).toMatchObject([{ id: '1', content: '{"text":"ä1"}' }]);
    expect(fixture.rounds.hints.toSorted()).toEqual(['a/x', 'a/y']);
  });

  it('gives lines without a session the one of the command', async () => {
    await api.sendBatch(chunksOf(line({ text: '1' }), line({ session: 'a/y', text: '2' })), 'a/x');
    expect(spooled('a/x')).toHaveLength(1);
    expect(spooled('a/y')).toHaveLength(1);
  });

  it('accepts nothing when a line in the middle is bad, and lists every bad line with its number and why', async () => {
    const batch = [
      line({ session: 'a/x', text: 'good' }),
      '{"session": "a/x", \n',
      line({ session: 'a/x', text: 'good' }),
      line({ session: 'ax', text: 'bad' }),
      line({ session: 'a/x', text: 'bad', after: 'noon' }),
      line({ session: 'a/x' }),
      line({ session: 'a/x', text: 7 }),
      line({ session: 'a/x', text: 'bad', afterr: '2030-01-01' }),
      line({ session: 'a/x', text: 'y'.repeat(3000) }),
      '[]\n',
    ];
    const invalid = Buffer.concat([
      Buffer.from('{"session": "a/x", "text": "'),
      Buffer.from([0xff]),
      Buffer.from('"}\n'),
    ]);
    const refusal = await api.sendBatch(chunksOf(...batch, invalid), undefined).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'usage' });
    const [head, ...lines] = (refusal as Error).message.split('\n');
    expect(head).toBe('nothing was accepted: 9 lines are refused');
    expect(lines).toEqual([
      '  line 2: not JSON',
      expect.stringContaining('line 4: "ax" is no session address'),
      expect.stringContaining('line 5: "noon" is no time'),
      '  line 6: "text" is missing or no string',
      '  line 7: "text" is no string',
      '  line 8: unknown field "afterr": did you mean "after"?',
      expect.stringContaining('line 9: the message is 3011 bytes as JSON, the most is 2048'),
      expect.stringContaining('line 10: not a JSON object'),
      '  line 11: not UTF-8',
    ]);
    expect([...fixture.registry.eachSession()]).toEqual([]);
  });

  it('drops a line of any length without keeping it', async () => {
    const huge = Array.from({ length: 64 }, () => 'z'.repeat(64 * 1024));
    await expect(
      api.sendBatch(chunksOf(...huge, '\n', line({ session: 'a/x', text: 'good' })), undefined),
    ).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(/line 1: longer than/) as string });
  });

  it('accepts nothing when one line is known with other content', async () => {
    await api.send({ session: 'a/x', text: 'one', id: '1' });
    const batch = [line({ session: 'a/x', text: 'two', id: '2' }), line({ session: 'a/x', text: 'other', id: '1' })];
    await expect(api.sendBatch(chunksOf(...batch), undefined)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/1 line is refused\n {2}line 2: message 1 of a\/x is known with other/) as string,
    });
    expect(spooled('a/x')).toHaveLength(1);
  });

  it('counts what it had accepted before', async () => {
    const batch = line({ session: 'a/x', text: 'one', id: '1' });
    await api.sendBatch(chunksOf(batch), undefined);
    expect(await api.sendBatch(chunksOf(batch), undefined)).toEqual({ accepted: 0, duplicates: 1 });
    expect(await api.sendBatch(chunksOf(''), undefined)).toEqual({ accepted: 0, duplicates: 0 });
  });

  it('names both lines of an id that stands twice with other content, and takes the same content twice for one', async () => {
    const twice = [
      line({ session: 'a/x', text: 'one', id: '1' }),
      '\n',
      line({ session: 'a/x', text: 'other', id: '1' }),
      line({ session: 'a/y', text: 'other', id: '1' }),
    ];
    await expect(api.sendBatch(chunksOf(...twice), undefined)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(
        /1 line is refused\n {2}line 3: message 1 of a\/x is in line 1 with other/,
      ) as string,
    });
    expect([...fixture.registry.eachSession()]).toEqual([]);
    const same = line({ session: 'a/x', text: 'one', id: '1' });
    expect(await api.sendBatch(chunksOf(same, same), undefined)).toEqual({ accepted: 1, duplicates: 1 });
  });

  it('lists every line of a closed session and of a case twin', async () => {
    await api.send({ session: 'a/x', text: 'one' });
    await api.changeSession('a/x', 'close');
    const batch = ['a/x', 'A/X', 'a/new', 'a/NEW', 'a/x'].map((session) => line({ session, text: 'one' }));
    const refusal = await api.sendBatch(chunksOf(...batch), undefined).catch((error: unknown) => error);
    expect((refusal as Error).message.split('\n').map((text) => text.slice(0, 50))).toEqual([
      'nothing was accepted: 4 lines are refused',
      expect.stringContaining('line 1: session a/x is closed'),
      expect.stringContaining('line 2: A/X differs only in case'),
      expect.stringContaining('line 4: a/NEW differs only in case'),
      expect.stringContaining('line 5: session a/x is closed'),
    ]);
    expect([...fixture.registry.eachSession()]).toHaveLength(1);
  });

  it('accepts 10,000 lines as one batch, in order, and none of them when one in the middle is bad', async () => {
    const lines = Array.from({ length: 10_000 }, (_, n) => line({ session: `a/s${String(n % 7)}`, text: String(n) }));
    await expect(
      api.sendBatch(chunksOf(...lines.slice(0, 5_000), 'no JSON\n', ...lines.slice(5_000)), undefined),
    ).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/1 line is refused\n {2}line 5001/) as string,
    });
    expect([...fixture.registry.eachSession()]).toEqual([]);
    expect(await api.sendBatch(chunksOf(...lines), undefined)).toEqual({ accepted: 10_000, duplicates: 0 });
    expect(fixture.registry.totals().messages.spooled).toBe(10_000);
    expect(spooled('a/s3').map(({ content }) => content)).toEqual(
      Array.from({ length: 100 }, (_, n) => JSON.stringify({ text: String(n * 7 + 3) })),
    );
    // What counts the spool goes on counting.
    await api.send({ session: 'a/s3', text: 'more' });
    expect(fixture.registry.totals().messages.spooled).toBe(10_001);
  });

  it('refuses attachments in a line, too many lines, and a batch that is too large', async () => {
    const attach = line({ session: 'a/x', text: 'one', attach: ['a.txt'] });
    await expect(api.sendBatch(chunksOf(attach), undefined)).rejects.toMatchObject({
      message: expect.stringMatching(/line 1: a batch takes no attachments.*send --attach/) as string,
    });
    await expect(api.sendBatch(chunksOf('\n'.repeat(100_001)), undefined)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/100001 lines, the most is 100000/) as string,
    });
    const tooMuch = Array.from({ length: 65 }, () => '\n' + ' '.repeat(1024 * 1024));
    await expect(api.sendBatch(chunksOf(...tooMuch), undefined)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/68157505 bytes, the most is 67108864/) as string,
    });
  });

  it('two batches at the same time keep apart', async () => {
    const batch = (session: string) =>
      chunksOf(...Array.from({ length: 600 }, (_, n) => line({ session, text: String(n), id: `m${String(n)}` })));
    const views = await Promise.all(['a/x', 'a/y'].map((session) => api.sendBatch(batch(session), undefined)));
    expect(views).toEqual([
      { accepted: 600, duplicates: 0 },
      { accepted: 600, duplicates: 0 },
    ]);
    expect(spooled('a/x')).toHaveLength(100);
    expect(fixture.registry.totals().messages.spooled).toBe(1200);
  });
});
