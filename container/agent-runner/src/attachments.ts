import { dirname, join } from 'node:path';
import { attachmentNameProblem } from '../../../src/protocol/attachments.js';
import type { ListedAttachment } from '../../../src/protocol/attachments.js';
import { INBOX_FOLDER } from '../../../src/protocol/workspace.js';

/** The attachments that a message's content lists, parsed or not; what is none is left out. */
export function attachmentsOf(content: unknown): readonly ListedAttachment[] {
  if (typeof content !== 'object' || content === null || !('attachments' in content)) return [];
  const { attachments } = content;
  return Array.isArray(attachments) ? attachments.filter(isListed) : [];
}

/** The same content with the absolute paths of its attachments, as a program wants them. */
export function withPaths(content: unknown, inbound: string): unknown {
  const listed = attachmentsOf(content);
  if (listed.length === 0 || typeof content !== 'object' || content === null) return content;
  const folder = dirname(inbound);
  return { ...content, attachments: listed.map((file) => ({ ...file, path: join(folder, file.path) })) };
}

function isListed(value: unknown): value is ListedAttachment {
  if (typeof value !== 'object' || value === null) return false;
  const { name, path, bytes } = value as Partial<Record<keyof ListedAttachment, unknown>>;
  return typeof name === 'string' && typeof bytes === 'number' && typeof path === 'string' && isInInbox(path);
}

/** `inbox/<message id>/<name>`: no path that leads elsewhere. */
function isInInbox(path: string): boolean {
  const [box, ...names] = path.split('/');
  return box === INBOX_FOLDER && names.length === 2 && names.every((name) => attachmentNameProblem(name) === undefined);
}
