import { LineCounter, isMap, isNode, isScalar, parseDocument } from 'yaml';
import type { Document, YAMLMap } from 'yaml';
import type { GroupSettingName, SettingName, SettingSource } from '../config.js';
import { GROUP_SETTINGS, HOST_SETTINGS } from '../config.js';
import { NAME_RULE, isName } from '../protocol/address.js';
import { nearest } from './nearest.js';

/** A value as it was given, and how to speak of the place where it was. */
export interface Given {
  readonly value: unknown;
  /** Begins a sentence: `/data/config.yaml:4: MAX_TRIES`. */
  readonly subject: string;
  readonly source: SettingSource;
}

export type Layer = ReadonlyMap<SettingName, Given>;

export interface FileLayers {
  readonly settings: Layer;
  readonly groups: ReadonlyMap<string, ReadonlyMap<GroupSettingName, Given>>;
}

interface Entry extends Given {
  readonly key: string;
  /** The value where it is a mapping. */
  readonly map: YAMLMap | undefined;
}

const GROUP_NAMES = Object.keys(GROUP_SETTINGS.shape);
const TOP_NAMES = [...Object.keys(HOST_SETTINGS.shape), ...GROUP_NAMES];

export function isSettingName(name: string): name is SettingName {
  return TOP_NAMES.includes(name);
}

function isGroupSettingName(name: string): name is GroupSettingName {
  return GROUP_NAMES.includes(name);
}

/** Reads a config file; what is wrong with its shape goes to `problems`, never quoting a value. */
export function readLayers(path: string, text: string, problems: string[]): FileLayers {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const settings = new Map<SettingName, Given>();
  const groups = new Map<string, ReadonlyMap<GroupSettingName, Given>>();
  for (const error of document.errors) {
    problems.push(`${path}:${lines.linePos(error.pos[0]).line}: is not valid YAML (${error.code})`);
  }
  if (document.errors.length > 0 || document.contents === null) return { settings, groups };
  if (!isMap(document.contents)) {
    problems.push(`${path}: must be a mapping of settings, such as "MAX_TRIES: 5"`);
    return { settings, groups };
  }
  const file: OpenFile = { path, document, lines, problems };
  for (const entry of entriesOf(file, document.contents, '')) {
    if (entry.key === 'groups') readGroups(file, entry, groups);
    else if (entry.key === 'defaults') addAll(settings, readGroup(file, entry, 'defaults.'), problems);
    else if (isSettingName(entry.key)) addAll(settings, [[entry.key, entry]], problems);
    else problems.push(`${entry.subject} is no setting; ${nearest(entry.key, [...TOP_NAMES, 'groups', 'defaults'])}`);
  }
  return { settings, groups };
}

interface OpenFile {
  readonly path: string;
  readonly document: Document;
  readonly lines: LineCounter;
  readonly problems: string[];
}

function entriesOf(file: OpenFile, map: YAMLMap, prefix: string): readonly Entry[] {
  return map.items.map(({ key, value }) => {
    const name = isScalar(key) ? String(key.value) : '(a key that is no text)';
    const range = isNode(key) ? key.range : undefined;
    const place = `${file.path}:${file.lines.linePos(range?.[0] ?? 0).line}`;
    return {
      key: name,
      value: isNode(value) ? (value.toJS(file.document) as unknown) : value,
      map: isMap(value) ? value : undefined,
      subject: `${place}: ${prefix}${name}`,
      source: { from: 'file', place },
    };
  });
}

function addAll(
  settings: Map<SettingName, Given>,
  given: Iterable<readonly [SettingName, Given]>,
  problems: string[],
): void {
  for (const [name, one] of given) {
    const other = settings.get(name);
    if (other === undefined) settings.set(name, one);
    else problems.push(`${one.subject} is set a second time (also at ${other.source.place}); keep one of them`);
  }
}

function readGroups(
  file: OpenFile,
  { map, value, subject }: Entry,
  groups: Map<string, ReadonlyMap<GroupSettingName, Given>>,
): void {
  if (value === null) return;
  if (map === undefined) {
    file.problems.push(`${subject} must be a mapping from the names of groups to their settings`);
    return;
  }
  for (const entry of entriesOf(file, map, 'groups.')) {
    if (isName(entry.key)) groups.set(entry.key, readGroup(file, entry, `groups.${entry.key}.`));
    else file.problems.push(`${entry.subject} is no name of a group (${NAME_RULE})`);
  }
}

function readGroup(file: OpenFile, { map, value, subject }: Entry, prefix: string): Map<GroupSettingName, Given> {
  const given = new Map<GroupSettingName, Given>();
  if (value === null) return given;
  if (map === undefined) {
    file.problems.push(`${subject} must be a mapping of settings`);
    return given;
  }
  for (const entry of entriesOf(file, map, prefix)) {
    if (isGroupSettingName(entry.key)) given.set(entry.key, entry);
    else if (isSettingName(entry.key)) file.problems.push(`${entry.subject} can only be set for the whole install`);
    else file.problems.push(`${entry.subject} is no setting of a group; ${nearest(entry.key, GROUP_NAMES)}`);
  }
  return given;
}
