import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanStaging } from '../../../src/desk/stage-attachment.js';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeskApi, SendInput } from '../../../src/desk/api.js';
import { chunksOf, openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';

let fixture: DeskFixture;
let api: DeskApi;

beforeEach(() => {
  fixture = openDeskFixture({ attachmentMaxBytes: 1000 });
  api = deskApi(fixture.desk);
});
afterEach(() => fixture.close());

const DEMO: SendInput = { session: 'demo/first', text: 'hello' };
const stage = (name: string, text = 'one') => api.stage(name, chunksOf(text));

function staged(): readonly string[] {
  const folder = join(fixture.dataDir, 'staging');
  return existsSync(folder) ? readdirSync(folder) : [];
}

function spooled() {
  const record = [...fixture.registry.eachSession()][0];
  return record === undefined ? [] : fixture.registry.spooled(record.address, 100);
}

describe('attachments of a message', () => {
  it('stand in its content, and wait in the spool with it', async () => {
    const file = await stage('a.txt');
    const { id } = await api.send({ ...DEMO, attachments: [file] });
    expect(spooled()).toMatchObject([{ id, attachments: [file] }]);
    expect(JSON.parse(spooled()[0]?.content ?? '')).toEqual({
      text: 'hello',
      attachments: [{ name: 'a.txt', path: `inbox/${id}/a.txt`, bytes: 3 }],
    });
    await fixture.look('demo/first');
    expect(staged()).toEqual([]);
    expect(spooled()).toEqual([]);
  });

  it('belong to what makes two messages the same one (F24)', async () => {
    await api.send({ ...DEMO, id: 'm', attachments: [await stage('a.txt')] });
    expect(await api.send({ ...DEMO, id: 'm', attachments: [await stage('a.txt')] })).toMatchObject({
      duplicate: true,
    });
    for (const attachments of [[await stage('a.txt', 'two')], [await stage('b.txt')], []]) {
      await expect(api.send({ ...DEMO, id: 'm', attachments })).rejects.toMatchObject({ code: 'refused' });
    }
    // Only what was accepted waits: the rest was removed at once.
    expect(staged()).toEqual(spooled().map(({ attachments }) => attachments?.[0]?.stage));
    await fixture.look('demo/first');
    expect(await api.send({ ...DEMO, id: 'm', attachments: [await stage('a.txt')] })).toMatchObject({
      duplicate: true,
    });
    expect(staged()).toEqual([]);
  });

  it.each<[string, RegExp]>([
    ['', /it is empty/],
    ['a/b', /it has a "\/"/],
    ['..', /it begins with a dot/],
    ['.profile', /it begins with a dot/],
    ['a..b', /it has "\.\."/],
    ['a\nb', /it has characters that cannot be shown/],
    ['\ud800', /it has characters that cannot be shown/],
    ['ä'.repeat(150), /it has 300 bytes, the most is 255/],
  ])('are refused by the name %j', async (name, why) => {
    await expect(stage(name)).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(why) as string });
    expect(staged()).toEqual([]);
  });

  it('are refused where they are too large or too many, of one name, not staged, or sent already', async () => {
    await expect(stage('a', 'x'.repeat(1001))).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/"a" is over 1000 bytes \(ATTACHMENT_MAX_BYTES\)/) as string,
    });
    expect(staged()).toEqual([]);
    const send = async (attachments: SendInput['attachments']) => api.send({ ...DEMO, attachments });
    const files = [await stage('a'), await stage('b'), await stage('c'), await stage('d')];
    await expect(send(files)).rejects.toThrow(/4 attachments, the most is 3 \(ATTACHMENTS_MAX\)/);
    await expect(send([await stage('a.txt'), await stage('A.TXT')])).rejects.toThrow(
      /two attachments are called "A.TXT"/,
    );
    expect(staged()).toEqual([]);
    const file = await stage('a');
    await expect(send([{ ...file, name: 'b' }])).rejects.toThrow(/"b" is not staged/);
    const again = await stage('a');
    await send([again]);
    await expect(send([again])).rejects.toThrow(/"a" is not staged \(any more\), or was sent/);
    // The refusal took nothing from the message that has it.
    expect(staged()).toEqual([again.stage]);
    await fixture.look('demo/first');
    await expect(send([again])).rejects.toThrow(/not staged/);
  });

  it('are removed an hour after they were staged, unless a message in the spool has them', async () => {
    const [sent, unsent, fresh] = [await stage('a'), await stage('b'), await stage('c')];
    await api.send({ ...DEMO, attachments: [sent] });
    const longAgo = new Date(Date.now() - 61 * 60_000);
    for (const { stage: name } of [sent, unsent]) utimesSync(join(fixture.dataDir, 'staging', name), longAgo, longAgo);
    writeFileSync(join(fixture.dataDir, 'staging', 'not-ours'), '');
    await cleanStaging(fixture.desk);
    expect(staged().toSorted()).toEqual([sent.stage, fresh.stage, 'not-ours'].toSorted());
  });

  it('leave nothing behind when their bytes end in an error', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(Buffer.from('half'));
      throw new Error('gone');
    };
    await expect(api.stage('a', broken())).rejects.toThrow('gone');
    expect(staged()).toEqual([]);
  });
});
