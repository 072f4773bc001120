import { parse as parseShell } from 'shell-quote';
import * as z from 'zod';
import type { About } from './kinds.js';
import { kind } from './kinds.js';

/** Values by the name of their variable; null: taken from the daemon's own environment. */
export type EnvironmentList = Readonly<Record<string, string | null>>;

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Splits a line into program and arguments as a shell would, without running one; undefined: empty, or needs a shell. */
export function splitCommand(line: string): readonly string[] | undefined {
  const parts = parseShell(line, (name) => `\${${name}}`);
  const words = parts.filter((part) => typeof part === 'string');
  return words.length > 0 && words.length === parts.length ? words : undefined;
}

/** A program and its arguments: a YAML list, a JSON array, or a line that is split as a shell would. */
export function command(about: About) {
  const words = z.array(z.string()).min(1);
  const readText = (line: string): readonly string[] | undefined => {
    if (!line.trimStart().startsWith('[')) return splitCommand(line);
    try {
      return words.safeParse(JSON.parse(line)).data;
    } catch {
      return undefined;
    }
  };
  const read = (found: unknown): readonly string[] | null | undefined => {
    if (found === null) return null;
    const list = typeof found === 'string' ? readText(found) : words.safeParse(found).data;
    return list?.[0] === '' ? undefined : list;
  };
  return kind(about, read, null, {
    unit: 'list of texts',
    allowed: 'a list of texts, the program first, or one line without shell operators',
    range: 'a list of texts, or one line',
    shown: 'none',
    secret: true,
  });
}

/** Variables a container is given: `NAME` comes from the daemon's environment, `NAME=value` and `NAME: value` are fixed. */
export function environment(about: About) {
  const add = (list: Record<string, string | null>, name: string, value: string | null): boolean => {
    if (!VARIABLE.test(name) || name.startsWith('NIGHTPORTER_') || value?.includes('\0') === true) return false;
    list[name] = value;
    return true;
  };
  const readItem = (list: Record<string, string | null>, item: unknown): boolean => {
    if (typeof item !== 'string') return false;
    const sign = item.indexOf('=');
    return sign < 0 ? add(list, item.trim(), null) : add(list, item.slice(0, sign).trim(), item.slice(sign + 1));
  };
  const readPair = (list: Record<string, string | null>, [name, value]: [string, unknown]): boolean => {
    if (value === null) return add(list, name, null);
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return isPlain && add(list, name, String(value));
  };
  const read = (found: unknown): EnvironmentList | undefined => {
    const list: Record<string, string | null> = {};
    const items = typeof found === 'string' ? found.split(',').filter((item) => item.trim() !== '') : found;
    if (Array.isArray(items)) return items.every((item) => readItem(list, item)) ? list : undefined;
    if (typeof items !== 'object') return undefined;
    return Object.entries(items ?? {}).every((pair) => readPair(list, pair)) ? list : undefined;
  };
  return kind(
    about,
    read,
    {},
    {
      unit: 'list of variables',
      allowed: 'a list of NAME (from the daemon) or NAME=value, or a mapping, none of them NIGHTPORTER_...',
      range: '`NAME`, `NAME=value`',
      shown: 'none',
      secret: true,
    },
  );
}

/** The variables that a container gets: those listed that the daemon has, and the fixed ones. */
export function environmentOf(
  list: EnvironmentList,
  daemon: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, fixed] of Object.entries(list)) {
    const value = fixed ?? daemon[name];
    if (value !== undefined) given[name] = value;
  }
  return given;
}
