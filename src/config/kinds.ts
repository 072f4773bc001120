import * as z from 'zod';
import { isZone } from '../protocol/zones.js';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.js';

/** What is said of a setting where it is defined. */
export interface About {
  readonly section: string;
  /** One line, a sentence. */
  readonly text: string;
  /** It is read at the start of the daemon: a reload leaves it as it is. */
  readonly restart?: true;
}

/** What the documentation and the error messages say about a setting. */
export interface SettingFacts extends About {
  /** For people: `milliseconds`, `bytes`, ... */
  readonly unit: string;
  /** Finishes the sentence "must be ...". */
  readonly allowed: string;
  /** The same in short, for a table. */
  readonly range: string;
  /** The default as people write it. */
  readonly shown: string;
  /** Its value is never printed: it may hold secrets. */
  readonly secret: boolean;
  /** What is no value of it is a warning, and the default holds: a slip must not delete anything (or stop the daemon). */
  readonly failsSafe?: boolean;
}

/** The facts of every setting, by its schema. */
export const FACTS = z.registry<SettingFacts>();

interface Range {
  readonly min: number;
  readonly max: number;
}

/** Every kind is a schema of what may come as YAML value, as text of a variable or as a flag. */
export function kind<T>(
  about: About,
  read: (found: unknown) => T | undefined,
  fallback: T,
  facts: Omit<SettingFacts, keyof About>,
) {
  const schema = z.unknown().transform((found, context): T => {
    const value = read(found);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${facts.allowed}` });
    return z.NEVER;
  });
  const { section, text, restart } = about;
  const shared: About = { section, text, ...(restart === true ? { restart } : {}) };
  return z.prefault(schema, fallback).register(FACTS, { ...shared, ...facts });
}

function within(range: Range, value: number | undefined): number | undefined {
  return value !== undefined && value >= range.min && value <= range.max ? value : undefined;
}

function readInteger(found: unknown): number | undefined {
  const number = readNumber(found);
  return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
}

function readNumber(found: unknown): number | undefined {
  if (typeof found === 'number') return Number.isFinite(found) ? found : undefined;
  if (typeof found !== 'string' || !/^[+-]?\d[\d_]*(\.\d+)?$/.test(found.trim())) return undefined;
  return Number(found.trim().replaceAll('_', ''));
}

function oneOf(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1) ?? ''}`;
}

function durationRange({ min, max }: Range): string {
  return `${formatDuration(min)} to ${formatDuration(max)}`;
}

function durationRule(range: Range): string {
  return `a duration from ${durationRange(range)} (milliseconds, or text such as 90s, 10m, 2h)`;
}

export function duration(about: About & Range & { readonly default: number }) {
  const { min, max, default: fallback } = about;
  return kind(about, (found) => within({ min, max }, parseDuration(found)), fallback, {
    unit: 'milliseconds',
    allowed: durationRule({ min, max }),
    range: durationRange({ min, max }),
    shown: formatDuration(fallback),
    secret: false,
  });
}

/** A duration that may be left out, by leaving it away or by the word `unset`; `shown` says what happens then. */
export function optionalDuration(about: About & Range & { readonly unset: 'off' | 'auto'; readonly shown: string }) {
  const { min, max, unset, shown } = about;
  const isUnset = (found: unknown): boolean => found === null || (unset === 'off' && found === false);
  const isWord = (found: unknown): boolean => typeof found === 'string' && found.trim().toLowerCase() === unset;
  const read = (found: unknown): number | null | undefined =>
    isUnset(found) || isWord(found) ? null : within({ min, max }, parseDuration(found));
  return kind(about, read, null, {
    unit: 'milliseconds',
    allowed: `${durationRule({ min, max })}, or ${unset}`,
    range: `${durationRange({ min, max })}, or ${unset}`,
    shown,
    secret: false,
  });
}

export function bytes(about: About & Range & { readonly default: number }) {
  const { min, max, default: fallback } = about;
  return kind(about, (found) => within({ min, max }, parseBytes(found)), fallback, {
    unit: 'bytes',
    allowed: `a size from ${formatBytes(min)} to ${formatBytes(max)} (bytes, or text such as 512MiB, 2GiB)`,
    range: `${formatBytes(min)} to ${formatBytes(max)}`,
    shown: formatBytes(fallback),
    secret: false,
  });
}

export function count(about: About & Range & { readonly default: number }) {
  const { min, max, default: fallback } = about;
  return kind(about, (found) => within({ min, max }, readInteger(found)), fallback, {
    unit: 'count',
    allowed: `a whole number from ${min} to ${max}`,
    range: `${min} to ${max}`,
    shown: String(fallback),
    secret: false,
  });
}

export function decimal(about: About & Range & { readonly default: number }) {
  const { min, max, default: fallback } = about;
  return kind(about, (found) => within({ min, max }, readNumber(found)), fallback, {
    unit: 'number',
    allowed: `a number from ${min} to ${max}`,
    range: `${min} to ${max}`,
    shown: String(fallback),
    secret: false,
  });
}

/** How long something is kept. Fails safe: below 0 is 0, above is the longest; what is no number is left to the loader. */
export function days(about: About & { readonly max: number; readonly default: number }) {
  const { max, default: fallback } = about;
  const read = (found: unknown): number | undefined => {
    const number = readNumber(found);
    return number === undefined ? undefined : Math.min(max, Math.max(0, number));
  };
  return kind(about, read, fallback, {
    unit: 'days',
    allowed: `a number of days from 0 (kept for ever) to ${max}`,
    range: `0 (for ever) to ${max} days`,
    shown: String(fallback),
    secret: false,
    failsSafe: true,
  });
}

/** After how long something is given up, milliseconds; 0 is never. Fails safe: below 0 is 0, above is the longest. */
export function window(about: About & { readonly max: number; readonly default: number }) {
  const { max, default: fallback } = about;
  const read = (found: unknown): number | undefined => {
    const number = isBelowZero(found) ? 0 : parseDuration(found);
    return number === undefined ? undefined : Math.min(max, number);
  };
  return kind(about, (found) => (isOff(found) ? 0 : read(found)), fallback, {
    unit: 'milliseconds',
    allowed: `a duration (milliseconds, or text such as 90s, 12h, 7d) to ${formatDuration(max)}, or 0 (never)`,
    range: `0 (never) to ${formatDuration(max)}`,
    shown: formatDuration(fallback),
    secret: false,
    failsSafe: true,
  });
}

function isBelowZero(found: unknown): boolean {
  return typeof found === 'number' ? found < 0 : typeof found === 'string' && /^\s*-\s*\d/.test(found);
}

function isOff(found: unknown): boolean {
  return found === false || (typeof found === 'string' && /^(off|never)$/i.test(found.trim()));
}

export function choice<const T extends string>(about: About & { readonly choices: readonly T[]; readonly default: T }) {
  const { choices, default: fallback } = about;
  return kind(
    about,
    (found) => (typeof found === 'string' ? choices.find((known) => known === found.trim().toLowerCase()) : undefined),
    fallback,
    {
      unit: 'choice',
      allowed: oneOf(choices),
      range: oneOf(choices),
      shown: fallback,
      secret: false,
    },
  );
}

export function yesNo(about: About & { readonly default: boolean }) {
  const { default: fallback } = about;
  const read = (found: unknown): boolean | undefined => {
    if (typeof found === 'boolean') return found;
    const word = String(found).trim().toLowerCase();
    if (['yes', 'true', 'on', '1'].includes(word)) return true;
    return ['no', 'false', 'off', '0'].includes(word) ? false : undefined;
  };
  const shown = fallback ? 'yes' : 'no';
  return kind(about, read, fallback, {
    unit: 'yes or no',
    allowed: 'yes or no',
    range: 'yes or no',
    shown,
    secret: false,
  });
}

interface Word extends About {
  readonly pattern: RegExp;
  readonly allowed: string;
  readonly range: string;
}

function readWord(found: unknown, pattern: RegExp): string | undefined {
  return typeof found === 'string' && pattern.test(found.trim()) ? found.trim() : undefined;
}

export function word(about: Word & { readonly default: string }) {
  const { pattern, allowed, range, default: fallback } = about;
  return kind(about, (found) => readWord(found, pattern), fallback, {
    unit: 'text',
    allowed,
    range,
    shown: fallback,
    secret: false,
  });
}

/** A time zone by its name. */
export function zone(about: About & { readonly default: string }) {
  const { default: fallback } = about;
  return kind(about, (found) => (typeof found === 'string' && isZone(found) ? found : undefined), fallback, {
    unit: 'text',
    allowed: 'the name of a time zone, such as Europe/Berlin',
    range: 'a time zone',
    shown: fallback,
    secret: false,
  });
}

/** A word that may be left out; `shown` says what happens then. */
export function optionalWord(about: Word & { readonly shown: string }) {
  const { pattern, allowed, range, shown } = about;
  return kind<string | null>(about, (found) => (found === null ? null : readWord(found, pattern)), null, {
    unit: 'text',
    allowed,
    range,
    shown,
    secret: false,
  });
}
