import { count, decimal } from './kinds.js';

const MOST = 1_000_000_000;

/** What sessions may use; a group may have its own. 0: as much as they like. */
export const budgetSettings = (section: string) => ({
  SESSION_TURNS_PER_HOUR: count({
    section,
    text: 'Turns of one session in an hour (UTC); over it, its messages wait for the next. 0: no limit.',
    min: 0,
    max: MOST,
    default: 0,
  }),
  SESSION_TOKENS_PER_DAY: count({
    section,
    text: 'Tokens of one session in a day (UTC), in and out, by the figures of its provider. 0: no limit.',
    min: 0,
    max: MOST,
    default: 0,
  }),
  SESSION_COST_PER_DAY: decimal({
    section,
    text: 'US dollars of one session in a day (UTC), where its provider names its price. 0: no limit.',
    min: 0,
    max: MOST,
    default: 0,
  }),
  GROUP_TURNS_PER_HOUR: count({
    section,
    text: 'The same of all sessions of a group together.',
    min: 0,
    max: MOST,
    default: 0,
  }),
  GROUP_TOKENS_PER_DAY: count({
    section,
    text: 'The same of all sessions of a group together.',
    min: 0,
    max: MOST,
    default: 0,
  }),
  GROUP_COST_PER_DAY: decimal({
    section,
    text: 'The same of all sessions of a group together.',
    min: 0,
    max: MOST,
    default: 0,
  }),
});
