import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunnerSession, script } from '../../support/runner-session.js';

let session: RunnerSession;
beforeEach(() => {
  session = new RunnerSession();
});
afterEach(() => session.dispose());

const withFile = (id: string, text: string, path = `inbox/${id}/a.txt`): string =>
  JSON.stringify({ text, attachments: [{ name: 'a.txt', path, bytes: 3 }] });
const outbox = (...names: readonly string[]): string => join(session.workspace, 'outbox', ...names);

describe('attachments in a turn', () => {
  it('echo names them', async () => {
    session.enqueue({ id: 'm', content: withFile('m', 'hello') }, { id: 'n', content: withFile('n', '') });
    session.start();
    await session.untilAcked('completed', 'm', 'n');
    expect(session.replies()).toEqual([
      ['m', 'hello\n[a.txt, 3 bytes]'],
      ['n', '[a.txt, 3 bytes]'],
    ]);
  });

  it('a program is given their absolute paths, and none that leads out of the inbox', async () => {
    session.enqueue({ id: 'm', content: withFile('m', 'hello') }, { id: 'n', content: withFile('n', '', '../x/y') });
    session.start({ command: script('cat >> seen') });
    await session.untilAcked('completed', 'm', 'n');
    const seen = (session.file('seen') ?? '')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { messages: [{ content: unknown }] }).messages[0].content);
    const path = join(dirname(session.inbound), 'inbox/m/a.txt');
    expect(seen).toEqual([
      { text: 'hello', attachments: [{ name: 'a.txt', path, bytes: 3 }] },
      { text: '', attachments: [{ name: 'a.txt', path: '../x/y', bytes: 3 }] },
    ]);
  });

  it('what a program leaves in its folder lies in the outbox of its answer when the answer is there', async () => {
    session.enqueue({ id: 'm' }, { id: 'n' });
    session.start({
      command: script('read -r in; echo "$in" > "$NIGHTPORTER_OUTBOX/in.json"; ls "$NIGHTPORTER_OUTBOX" | wc -l'),
    });
    await session.untilAcked('completed', 'm', 'n');
    // Each turn had a folder of its own.
    expect(session.replies().map(([, text]) => String(text).trim())).toEqual(['1', '1']);
    for (const { id, in_reply_to: message } of session.answers()) {
      expect(readFileSync(outbox(id, 'in.json'), 'utf8')).toContain(`"id":"${message}"`);
    }
    expect(readdirSync(outbox())).toHaveLength(2);
  });

  it('files alone are an answer; nothing is kept of a turn that failed, or of one that did not end', async () => {
    mkdirSync(outbox('.turn-of-a-killed-runner'), { recursive: true });
    writeFileSync(outbox('.turn-of-a-killed-runner', 'f'), 'x');
    session.enqueue({ id: 'm', text: 'fail' }, { id: 'n', text: 'go' });
    session.start({ command: script('echo x > "$NIGHTPORTER_OUTBOX/f"; ! grep -q fail') });
    await session.untilAcked('completed', 'n');
    expect(session.ack('m')?.status).toBe('failed');
    const [answer, ...more] = session.answers();
    expect([answer?.content, more]).toEqual(['{"text":""}', []]);
    expect(readdirSync(outbox())).toEqual([answer?.id]);
  });
});
