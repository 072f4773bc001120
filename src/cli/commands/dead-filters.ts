import type { Command } from 'commander';
import type { DeadFilter } from '../../desk/api.js';
import { quoted } from '../../desk/input-texts.js';
import { NightporterError } from '../../protocol/errors.js';

export interface FilterOptions {
  readonly reason?: string;
  readonly class?: string;
  readonly olderThan?: string;
  readonly newerThan?: string;
  readonly group?: string;
  readonly limit?: string;
  readonly purged?: true;
}

/** The options that say which dead letters. */
export function withFilters(command: Command): Command {
  return command
    .option('--reason <reason>', 'why the last turn ended: tries_spent, fatal, unclassed, ...')
    .option('--class <class>', 'their error class: fatal, context_overflow, ...')
    .option('--older-than <time>', 'ended longer ago than 90m, 12h, 7d, ...')
    .option('--newer-than <time>', 'ended less long ago than that')
    .option('--group <group>', 'of the sessions of a group')
    .option('--limit <number>', 'at most so many');
}

export function filterOf(session: string | undefined, options: FilterOptions): DeadFilter {
  const { reason, class: errorClass, olderThan, newerThan, group, limit, purged } = options;
  return {
    session,
    reason,
    errorClass,
    olderThan,
    newerThan,
    group,
    limit: limit === undefined ? undefined : limitOf(limit),
    purged,
  };
}

function limitOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new NightporterError('usage', `${quoted(text)} is no number for --limit: write a whole one from 1`);
}
