import type { GroupSettings, SettingName, SettingSource, SettingValues, Settings } from '../config.js';
import { GROUP_SETTINGS, HOST_SETTINGS, fieldOf } from '../config.js';
import type { SettingFacts } from './kinds.js';
import { FACTS } from './kinds.js';
import { formatBytes, formatDuration } from './units.js';

/** A setting and what it is now, as `config` prints it. Values that may hold secrets are masked. */
export interface SettingRow {
  /** `MAX_TRIES`, or `groups.<name>.MAX_TRIES` where a group has its own. */
  readonly name: string;
  /** Milliseconds, bytes, ...: `unit`. */
  readonly value: unknown;
  readonly unit: string;
  /** The value as people write it. */
  readonly shown: string;
  readonly from: 'default' | SettingSource['from'];
  /** `default`, or where it was set: `/data/config.yaml:4`, `NIGHTPORTER_MAX_TRIES`, `--runtime`. */
  readonly source: string;
  /** `value` and `shown` are masked. */
  readonly secret: boolean;
}

const SCHEMAS = { ...HOST_SETTINGS.shape, ...GROUP_SETTINGS.shape };
const NAMES = Object.keys(SCHEMAS) as SettingName[];
const PER_GROUP: ReadonlySet<string> = new Set(Object.keys(GROUP_SETTINGS.shape));

/** Every setting with its value and where that came from, then what groups have of their own. */
export function describeSettings(settings: Settings): readonly SettingRow[] {
  const rows = NAMES.map((name) => rowOf(name, name, settings, settings.sources.get(name)));
  for (const [group, own] of settings.groups) {
    for (const name of NAMES) {
      const full = `groups.${group}.${name}`;
      const source = settings.sources.get(full);
      if (source !== undefined) rows.push(rowOf(full, name, own, source));
    }
  }
  return rows;
}

function rowOf(
  fullName: string,
  name: SettingName,
  from: GroupSettings,
  source: SettingSource | undefined,
): SettingRow {
  const facts = factsOf(name);
  const { value, shown } = describeValue(name, valueOf(name, from));
  const origin = source ?? { from: 'default' as const, place: 'default' };
  return {
    name: fullName,
    value,
    unit: facts.unit,
    shown,
    from: origin.from,
    source: origin.place,
    secret: facts.secret,
  };
}

/** What it is, unmasked. */
export function valueOf(name: SettingName, from: Partial<SettingValues>): unknown {
  return from[fieldOf(name)];
}

/** A value of the setting as it may be printed: masked where it may hold secrets, and in words. */
export function describeValue(name: SettingName, found: unknown): Pick<SettingRow, 'value' | 'shown'> {
  const facts = factsOf(name);
  const value = facts.secret ? mask(found) : found;
  return { value, shown: show(value, facts) };
}

/** Of a command its program, of variables their names: the rest may be secret. */
function mask(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((word: unknown, index) => (index === 0 ? word : '***'));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, given]) => [name, maskOne(given)]));
}

/** Where a value comes from is none. */
function maskOne(given: unknown): unknown {
  return given === null || typeof given === 'object' ? given : '***';
}

function show(value: unknown, facts: SettingFacts): string {
  if (value === null) return facts.shown;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'object' && !facts.secret && Object.keys(value).length === 0) return facts.shown;
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  if (facts.unit === 'milliseconds') return formatDuration(value);
  return facts.unit === 'bytes' ? formatBytes(value) : String(value);
}

export function factsOf(name: SettingName): SettingFacts {
  const facts = FACTS.get(SCHEMAS[name]);
  if (facts === undefined) throw new Error(`${name} has no description`);
  return facts;
}

const BEGIN = '<!-- settings: begin, written by npm run docs:config -->';
const END = '<!-- settings: end -->';

/** Puts the tables of all settings into the configuration page, between their marks. */
export function withSettingTables(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the page lacks its marks: ${BEGIN} ... ${END}`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${settingTables()}\n\n${page.slice(end)}`;
}

function settingTables(): string {
  const sections = [...new Set(NAMES.map((name) => factsOf(name).section))];
  const namesIn = (section: string): SettingName[] => NAMES.filter((name) => factsOf(name).section === section);
  return sections.map((section) => `### ${section}\n\n${settingTable(namesIn(section))}`).join('\n\n');
}

function settingTable(names: readonly SettingName[]): string {
  const rows = names.map((name) => {
    const { text, range, shown, restart } = factsOf(name);
    const [perGroup, inEffect] = [PER_GROUP.has(name) ? 'yes' : '', restart === true ? 'restart' : 'reload'];
    return `| \`${name}\` | ${shown} | ${range} | ${perGroup} | ${inEffect} | ${text} |`;
  });
  return ['| Setting | Default | Range | Per group | In effect after | |', '|---|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}
