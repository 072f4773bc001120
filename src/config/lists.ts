import { parse as parseShell } from 'shell-quote';
import * as z from 'zod';
import type { About } from './kinds.js';
import { kind } from './kinds.js';

/** A value that is read from a file at each start. */
export interface ValueFile {
  /** Absolute. */
  readonly file: string;
}

/** Values by the name of their variable; null: taken from the daemon's own environment. */
export type EnvironmentList = Readonly<Record<string, string | ValueFile | null>>;

/** Texts by the names of providers; under `*` that of the session's own provider. */
export type ProviderWords = Readonly<Record<string, string>>;

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
  type List = Record<string, string | ValueFile | null>;
  const add = (list: List, name: string, value: string | ValueFile | null): boolean => {
    const text = typeof value === 'string' ? value : (value?.file ?? '');
    if (!VARIABLE.test(name) || name.startsWith('NIGHTPORTER_') || text.includes('\0')) return false;
    list[name] = value;
    return true;
  };
  const readItem = (list: List, item: unknown): boolean => {
    if (typeof item !== 'string') return false;
    const sign = item.indexOf('=');
    return sign < 0 ? add(list, item.trim(), null) : add(list, item.slice(0, sign).trim(), item.slice(sign + 1));
  };
  const readPair = (list: List, [name, value]: [string, unknown]): boolean => {
    if (value === null) return add(list, name, null);
    if (typeof value === 'object') {
      const file = Object.keys(value).length === 1 && 'file' in value ? value.file : undefined;
      return typeof file === 'string' && file.startsWith('/') && add(list, name, { file });
    }
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return isPlain && add(list, name, String(value));
  };
  const read = (found: unknown): EnvironmentList | undefined => {
    const list: List = {};
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
      allowed:
        'a list of NAME (from the daemon) or NAME=value, or a mapping (NAME: {file: /path} is read at each start), none of them NIGHTPORTER_...',
      range: '`NAME`, `NAME=value`, `{NAME: {file: /path}}`',
      shown: 'none',
      secret: true,
    },
  );
}

/** Names in their order: a YAML list, or text with commas. */
export function names(about: About & { readonly pattern: RegExp }) {
  const read = (found: unknown): readonly string[] | undefined => {
    if (found === null) return [];
    const items: unknown = typeof found === 'string' ? found.split(',') : found;
    if (!Array.isArray(items)) return undefined;
    const texts = items.filter((item) => typeof item === 'string').map((item) => item.trim());
    const given = texts.filter((text) => text !== '');
    return texts.length === items.length && given.every((text) => about.pattern.test(text)) ? given : undefined;
  };
  return kind<readonly string[]>(about, read, [], {
    unit: 'list of names',
    allowed: 'a list of names, or names with commas between them',
    range: 'names',
    shown: 'none',
    secret: false,
  });
}

interface Words extends About {
  readonly isValue: (text: string) => boolean;
  readonly allowed: string;
  readonly shown: string;
}

/** One text, or texts by the names of providers: a mapping, or `name=text,name=text`. */
export function words(about: Words) {
  const { isValue, allowed, shown } = about;
  const pairs = (found: unknown): readonly (readonly [string, unknown])[] => {
    if (typeof found !== 'string') return Object.entries(found ?? {});
    const parts = found.split(',').map((part) => /^\s*([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)$/s.exec(part));
    if (parts.some((part) => part === null)) return found.trim() === '' ? [] : [['*', found.trim()]];
    return parts.map((part) => [part?.[1] ?? '', part?.[2]?.trim()]);
  };
  const read = (found: unknown): ProviderWords | undefined => {
    if (Array.isArray(found) || !['string', 'object'].includes(typeof found)) return undefined;
    const list: Record<string, string> = {};
    for (const [name, text] of pairs(found)) {
      if (typeof text !== 'string' || !isValue(text) || !/^(\*|[A-Za-z0-9][A-Za-z0-9_.-]*)$/.test(name))
        return undefined;
      list[name] = text;
    }
    return list;
  };
  return kind<ProviderWords>(
    about,
    read,
    {},
    {
      unit: 'texts by provider',
      allowed,
      range: 'one text, or a mapping',
      shown,
      secret: false,
    },
  );
}
