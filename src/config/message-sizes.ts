import { bytes, count } from './kinds.js';

const MIB = 1024 * 1024;

/** What one message may be, in a section of the settings' page. */
export const messageSizes = (section: string) => ({
  MESSAGE_MAX_BYTES: bytes({
    section,
    text: 'Largest message that is accepted, and the most that is shown of one answer.',
    min: 1024,
    max: 256 * MIB,
    default: 16 * MIB,
  }),
  ATTACHMENT_MAX_BYTES: bytes({
    section,
    text: 'Largest attachment of a message that is accepted, and of an answer that is handed out.',
    restart: true,
    min: 0,
    max: 1024 * 1024 * MIB,
    default: 64 * MIB,
  }),
  ATTACHMENTS_MAX: count({
    section,
    text: 'Most attachments of one message or answer.',
    restart: true,
    min: 0,
    max: 1000,
    default: 20,
  }),
});
