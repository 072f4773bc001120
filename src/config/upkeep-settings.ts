import { days, duration, window } from './kinds.js';

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;
const DAY = 24 * HOUR;
const LONGEST_DAYS = 36_500;
const LONGEST = LONGEST_DAYS * DAY;

/** When upkeep is done: of the whole install. */
export const upkeepSettings = (section: string) => ({
  GC_INTERVAL_MS: duration({
    section,
    text: 'Time from one collection of sessions and conversations to the next; the first is 5 s after the start.',
    min: 50,
    max: 30 * DAY,
    default: HOUR,
  }),
  CONVERSATION_MAX_AGE_DAYS: days({
    section,
    text: 'A conversation without a message for longer is dropped: who comes back gets a fresh session.',
    max: LONGEST_DAYS,
    default: 90,
  }),
  NOTICE_MAX_AGE_DAYS: days({
    section,
    text: 'A notice of what happened once, such as a stop, is dropped when it has not happened again for longer. What is still so stays.',
    max: LONGEST_DAYS,
    default: 7,
  }),
});

/** How long what belongs to sessions is kept; a group may have its own. */
export const retentionSettings = (section: string) => ({
  SESSION_CLOSE_AFTER_MS: window({
    section,
    text: 'An active session without message, answer or heartbeat for longer is closed, unless it has work, a series or a pin.',
    max: LONGEST,
    default: DAY,
  }),
  SESSION_DELETE_AFTER_MS: window({
    section,
    text: 'A session that has been closed for longer is deleted, its files too. Until then it can be reopened.',
    max: LONGEST,
    default: 7 * DAY,
  }),
  MAX_SESSION_AGE_MS: window({
    section,
    text: 'The session id of a provider that was not used for longer is dropped, and the next turn begins afresh.',
    max: LONGEST,
    default: DAY,
  }),
  KEEP_COMPLETED_DAYS: days({
    section,
    text: 'How long completed messages stay in the session file, with their attachments.',
    max: LONGEST_DAYS,
    default: 30,
  }),
  DEAD_LETTER_DAYS: days({
    section,
    text: 'How long dead letters are kept.',
    max: LONGEST_DAYS,
    default: 7,
  }),
  RETENTION_TRANSCRIPTS_DAYS: days({
    section,
    text: 'How long transcripts of agents are kept, with their tool results.',
    max: LONGEST_DAYS,
    default: 7,
  }),
  RETENTION_DEBUG_DAYS: days({
    section,
    text: 'How long debug logs of agents are kept.',
    max: LONGEST_DAYS,
    default: 3,
  }),
  RETENTION_TODOS_DAYS: days({
    section,
    text: 'How long todo files of agents are kept.',
    max: LONGEST_DAYS,
    default: 3,
  }),
  RETENTION_TELEMETRY_DAYS: days({
    section,
    text: 'How long telemetry that agents left is kept.',
    max: LONGEST_DAYS,
    default: 7,
  }),
  RETENTION_LOGS_DAYS: days({
    section,
    text: 'How long files with the output of ended containers are kept.',
    max: LONGEST_DAYS,
    default: 7,
  }),
});
