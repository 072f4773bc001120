import type { ListedAttachment } from '../../protocol/attachments.js';
import { INBOX_FOLDER } from '../../protocol/workspace.js';
import type { ForeignFile } from './foreign.js';

/**
 * A message's content as runners here read it: unchanged but for two additions, where there is something to add. The prompt of a
 * task is its `text` too, and attachments that were brought are told with their `path` and `bytes`.
 */
export function mapContent(content: string, id: string, files: readonly ForeignFile[]): string {
  const value = parseObject(content);
  if (value === undefined) return content;
  const { text, prompt, attachments } = value;
  const needsText = text === undefined && typeof prompt === 'string';
  const listed =
    Array.isArray(attachments) && files.length > 0 ? attachments.map((one) => placed(one, id, files)) : undefined;
  if (!needsText && listed === undefined) return content;
  return JSON.stringify({
    ...value,
    ...(needsText ? { text: prompt } : {}),
    ...(listed === undefined ? {} : { attachments: listed }),
  });
}

function placed(attachment: unknown, id: string, files: readonly ForeignFile[]): unknown {
  if (!isObject(attachment) || typeof attachment['localPath'] !== 'string') return attachment;
  const name = attachment['localPath'].split('/').at(-1);
  const file = files.find((one) => one.name === name);
  if (file === undefined) return attachment;
  const { bytes } = file;
  const path = `${INBOX_FOLDER}/${id}/${file.name}`;
  return { ...attachment, name: file.name, path, bytes, localPath: path } satisfies ListedAttachment &
    Record<string, unknown>;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
