import * as z from 'zod';
import { isZone } from '../protocol/zones.js';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.js';

/** What the documentation and the error messages say about a setting. */
export interface SettingFacts {
  readonly section: string;
  /** One line, a sentence. */
  readonly text: string;
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

export interface About {
  readonly section: string;
  readonly text: string;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** Every kind is a schema of what may come as YAML value, as text of a variable or as a flag. */
export function kind<T>(read: (found: unknown) => T | undefined, fallback: T, facts: SettingFacts) {
  const schema = z.unknown().transform((found, context): T => {
    const value = read(found);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${facts.allowed}` });
    return z.NEVER;
  });
  return z.prefault(schema, fallback).register(FACTS, facts);
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

export function duration({ section, text, min, max, ...rest }: About & Range & { readonly default: number }) {
  return kind((found) => within({ min, max }, parseDuration(found)), rest.default, {
    section,
    text,
    unit: 'milliseconds',
    allowed: durationRule({ min, max }),
    range: durationRange({ min, max }),
    shown: formatDuration(rest.default),
    secret: false,
  });
}

/** A duration that may be left out, by leaving it away or by the word `unset`; `shown` says what happens then. */
export function optionalDuration({
  section,
  text,
  min,
  max,
  unset,
  shown,
}: About & Range & { readonly unset: 'off' | 'auto'; readonly shown: string }) {
  const isUnset = (found: unknown): boolean => found === null || (unset === 'off' && found === false);
  const isWord = (found: unknown): boolean => typeof found === 'string' && found.trim().toLowerCase() === unset;
  const read = (found: unknown): number | null | undefined =>
    isUnset(found) || isWord(found) ? null : within({ min, max }, parseDuration(found));
  return kind(read, null, {
    section,
    text,
    unit: 'milliseconds',
    allowed: `${durationRule({ min, max })}, or ${unset}`,
    range: `${durationRange({ min, max })}, or ${unset}`,
    shown,
    secret: false,
  });
}

export function bytes({ section, text, min, max, ...rest }: About & Range & { readonly default: number }) {
  return kind((found) => within({ min, max }, parseBytes(found)), rest.default, {
    section,
    text,
    unit: 'bytes',
    allowed: `a size from ${formatBytes(min)} to ${formatBytes(max)} (bytes, or text such as 512MiB, 2GiB)`,
    range: `${formatBytes(min)} to ${formatBytes(max)}`,
    shown: formatBytes(rest.default),
    secret: false,
  });
}

export function count({ section, text, min, max, ...rest }: About & Range & { readonly default: number }) {
  return kind((found) => within({ min, max }, readInteger(found)), rest.default, {
    section,
    text,
    unit: 'count',
    allowed: `a whole number from ${min} to ${max}`,
    range: `${min} to ${max}`,
    shown: String(rest.default),
    secret: false,
  });
}

export function cores({ section, text, min, max, ...rest }: About & Range & { readonly default: number }) {
  return kind((found) => within({ min, max }, readNumber(found)), rest.default, {
    section,
    text,
    unit: 'cores',
    allowed: `a number from ${min} to ${max}`,
    range: `${min} to ${max}`,
    shown: String(rest.default),
    secret: false,
  });
}

/** How long something is kept. Fails safe: below 0 is 0, above is the longest; what is no number is left to the loader. */
export function days({ section, text, max, ...rest }: About & { readonly max: number; readonly default: number }) {
  const read = (found: unknown): number | undefined => {
    const number = readNumber(found);
    return number === undefined ? undefined : Math.min(max, Math.max(0, number));
  };
  return kind(read, rest.default, {
    section,
    text,
    unit: 'days',
    allowed: `a number of days from 0 (kept for ever) to ${max}`,
    range: `0 (for ever) to ${max} days`,
    shown: String(rest.default),
    secret: false,
    failsSafe: true,
  });
}

/** After how long something is given up, milliseconds; 0 is never. Fails safe: below 0 is 0, above is the longest. */
export function window({ section, text, max, ...rest }: About & { readonly max: number; readonly default: number }) {
  const read = (found: unknown): number | undefined => {
    const number = isBelowZero(found) ? 0 : parseDuration(found);
    return number === undefined ? undefined : Math.min(max, number);
  };
  return kind((found) => (isOff(found) ? 0 : read(found)), rest.default, {
    section,
    text,
    unit: 'milliseconds',
    allowed: `a duration (milliseconds, or text such as 90s, 12h, 7d) to ${formatDuration(max)}, or 0 (never)`,
    range: `0 (never) to ${formatDuration(max)}`,
    shown: formatDuration(rest.default),
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

export function choice<const T extends string>({
  section,
  text,
  choices,
  ...rest
}: About & { readonly choices: readonly T[]; readonly default: T }) {
  return kind(
    (found) => (typeof found === 'string' ? choices.find((known) => known === found.trim().toLowerCase()) : undefined),
    rest.default,
    {
      section,
      text,
      unit: 'choice',
      allowed: oneOf(choices),
      range: oneOf(choices),
      shown: rest.default,
      secret: false,
    },
  );
}

export function yesNo({ section, text, ...rest }: About & { readonly default: boolean }) {
  const read = (found: unknown): boolean | undefined => {
    if (typeof found === 'boolean') return found;
    const word = String(found).trim().toLowerCase();
    if (['yes', 'true', 'on', '1'].includes(word)) return true;
    return ['no', 'false', 'off', '0'].includes(word) ? false : undefined;
  };
  const shown = rest.default ? 'yes' : 'no';
  return kind(read, rest.default, {
    section,
    text,
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

export function word({ section, text, pattern, allowed, range, ...rest }: Word & { readonly default: string }) {
  return kind((found) => readWord(found, pattern), rest.default, {
    section,
    text,
    unit: 'text',
    allowed,
    range,
    shown: rest.default,
    secret: false,
  });
}

/** A time zone by its name. */
export function zone({ section, text, ...rest }: About & { readonly default: string }) {
  return kind((found) => (typeof found === 'string' && isZone(found) ? found : undefined), rest.default, {
    section,
    text,
    unit: 'text',
    allowed: 'the name of a time zone, such as Europe/Berlin',
    range: 'a time zone',
    shown: rest.default,
    secret: false,
  });
}

/** A word that may be left out; `shown` says what happens then. */
export function optionalWord({ section, text, pattern, allowed, range, shown }: Word & { readonly shown: string }) {
  return kind<string | null>((found) => (found === null ? null : readWord(found, pattern)), null, {
    section,
    text,
    unit: 'text',
    allowed,
    range,
    shown,
    secret: false,
  });
}
