import type { Settings } from '../config.js';
import type { DeskSettings } from '../desk/desk.js';

export function deskSettings(dataDir: string, settings: Settings): DeskSettings {
  const { messageMaxBytes, attachmentMaxBytes, attachmentsMax, timezone } = settings;
  return { dataDir, messageMaxBytes, attachmentMaxBytes, attachmentsMax, timezone };
}
