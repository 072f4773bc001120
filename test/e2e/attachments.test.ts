import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeOnBoth, PATIENCE_MS } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 3 * PATIENCE_MS;

/** Reads the file that came with its message, and leaves one with its answer. */
const AGENT = `
let text = ""; process.stdin.on("data", (part) => (text += part)).on("end", () => {
  const [message] = JSON.parse(text).messages;
  const [file] = message.content.attachments;
  const seen = require("fs").readFileSync(file.path, "utf8");
  require("fs").writeFileSync(process.env.NIGHTPORTER_OUTBOX + "/answer.txt", seen.toUpperCase());
  console.log("read " + file.name);
});`;

await describeOnBoth('attachments', ({ open }) => {
  it(
    'go with a message to the program, and with its answer to a folder',
    async () => {
      const daemon = open();
      await daemon.start();
      const command = `node -e '${AGENT.replaceAll('\n', ' ')}'`;
      await daemon.done(['session', 'create', 'demo/files', '--command', command]);
      const folder = join(daemon.dataDir, 'mine');
      mkdirSync(folder);
      writeFileSync(join(folder, 'question.txt'), 'what is it?');
      await daemon.done(['send', 'demo/files', '--attach', join(folder, 'question.txt')]);
      const [reply] = await eventually(
        'an answer',
        async () => {
          const found = await daemon.replies('demo/files');
          return found.length > 0 && found;
        },
        { timeoutMs: PATIENCE_MS },
      );
      expect(reply).toMatchObject({
        content: { text: 'read question.txt' },
        attachments: [{ name: 'answer.txt', bytes: 11 }],
      });
      await daemon.done(['replies', 'demo/files', '--save', join(folder, 'answers')]);
      const saved = join(folder, 'answers', reply?.id ?? '', 'answer.txt');
      expect(readFileSync(saved, 'utf8')).toBe('WHAT IS IT?');
    },
    TEST_MS,
  );
});
