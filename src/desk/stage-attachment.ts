import { NightporterError } from '../protocol/errors.js';
import type { StagedFile } from '../ports/staging.js';
import { requireAttachmentName } from './attachment-names.js';
import type { Desk } from './desk.js';
import { quoted } from './input-texts.js';

/**
 * Keeps a file for a message that is sent within the hour; on disk when this resolves.
 * @throws NightporterError `usage` (name, too large), DiskFull
 */
export async function stageAttachment(desk: Desk, name: string, bytes: AsyncIterable<Uint8Array>): Promise<StagedFile> {
  requireAttachmentName(name);
  await cleanStaging(desk);
  return desk.staging.put(name, bytes, desk.settings().attachmentMaxBytes);
}

/** Removes what nobody sent for an hour. What goes wrong is told and tried again the next time. */
export async function cleanStaging(desk: Desk): Promise<void> {
  try {
    const removed = await desk.staging.clean(desk.clock.now(), (stage) => desk.registry.isStageSpooled(stage));
    if (removed > 0) desk.log.info({ count: removed }, 'removed staged files that nobody sent');
  } catch (err) {
    desk.log.error({ err }, 'staged files could not be cleaned up');
  }
}

/**
 * What a message may carry: files that were staged, no two of a name. In one turn with its acceptance.
 * @throws NightporterError `usage`
 */
export function requireAttachments(desk: Desk, files: readonly StagedFile[]): void {
  const { attachmentsMax, attachmentMaxBytes } = desk.settings();
  if (files.length > attachmentsMax) {
    throw new NightporterError(
      'usage',
      `${files.length} attachments, the most is ${attachmentsMax} (ATTACHMENTS_MAX): pack them into one file`,
    );
  }
  const names = new Set<string>();
  for (const file of files) {
    requireAttachmentName(file.name);
    // Not every file system tells case apart.
    const folded = file.name.toLowerCase();
    if (names.has(folded)) {
      throw new NightporterError('usage', `two attachments are called ${quoted(file.name)}: rename one of the files`);
    }
    names.add(folded);
    if (file.bytes <= attachmentMaxBytes && desk.staging.has(file) && !desk.registry.isStageSpooled(file.stage))
      continue;
    throw new NightporterError(
      'usage',
      `the attachment ${quoted(file.name)} is not staged (any more), or was sent: stage it again and send it within the hour`,
    );
  }
}

/** Files that no message in the spool carries go away at once. */
export async function dropUnsent(desk: Desk, files: readonly StagedFile[]): Promise<void> {
  await desk.staging.drop(files.filter(({ stage }) => !desk.registry.isStageSpooled(stage)));
}
