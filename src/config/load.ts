import { join } from 'node:path';
import type {
  GroupSettingName,
  GroupSettings,
  SettingName,
  SettingSource,
  SettingValues,
  Settings,
} from '../config.js';
import { GROUP_SETTINGS, HOST_SETTINGS, fieldOf } from '../config.js';
import { NightporterError } from '../protocol/errors.js';
import { RUNNER_ENV } from '../protocol/workspace.js';
import { checkCombinations } from './combinations.js';
import type { FileLayers, Given, Layer } from './file.js';
import { isSettingName, readLayers } from './file.js';
import { FACTS } from './kinds.js';
import { nearest } from './nearest.js';

const PREFIX = 'NIGHTPORTER_';
const CONFIG_FILE = 'config.yaml';

/** Variables that are no settings of this process, and yet known. */
const OTHER_VARIABLES: readonly string[] = [
  'NIGHTPORTER_DATA_DIR',
  'NIGHTPORTER_RESUME',
  'NIGHTPORTER_REQUIRE_ENGINE',
  'NIGHTPORTER_CONTAINER',
  'NIGHTPORTER_TEST_ENGINE_DIR',
  ...Object.values(RUNNER_ENV),
];

export interface SettingsSources {
  /** Its config.yaml is read if there is one. */
  readonly dataDir: string;
  /** `--config`: read instead, and must exist. */
  readonly configPath: string | undefined;
  /** There was a file before: that it is gone is a problem. */
  readonly fileExpected?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By the names of settings. */
  readonly flags: Readonly<Record<string, string | number | boolean | undefined>>;
  /** undefined: there is no such file. Throws when it cannot be read. */
  readonly readFile: (path: string) => string | undefined;
}

/** All that is wrong at once. */
export class WrongSettings extends NightporterError {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];

  constructor(problems: readonly string[], warnings: readonly string[]) {
    super('usage', describe(problems));
    this.problems = problems;
    this.warnings = warnings;
  }
}

/**
 * Defaults, config file, environment, flags, in rising order. What a group sets for itself wins over all of them.
 * @throws WrongSettings, with every problem at once and where it is.
 */
export function loadSettings(sources: SettingsSources): Settings {
  const problems: string[] = [];
  const warnings: string[] = [];
  const file = readConfigFile(sources, problems);
  const layers = [file.layers.settings, fromEnvironment(sources.env, problems), fromFlags(sources.flags, problems)];
  const read = (given: Layer): Values => readValues(given, problems, warnings);

  const values: Values = new Map(layers.flatMap((layer) => [...read(layer)]));
  const everywhere = settingsOf(values);
  const groups = new Map<string, GroupSettings>();
  const scopes = [{ name: '', values, settings: everywhere }];
  for (const [name, given] of file.layers.groups) {
    const own = new Map([...values, ...read(given)]);
    const settings = settingsOf(own);
    const withShared = { ...settings, environment: { ...everywhere.environment, ...settings.environment } };
    groups.set(name, withShared);
    scopes.push({ name, values: own, settings: withShared });
  }
  for (const { name, settings, values: given } of scopes) {
    const broken = (setting: SettingName): boolean => given.get(setting)?.valid === false;
    problems.push(...checkCombinations(settings, name, broken));
  }
  if (problems.length > 0) throw new WrongSettings(problems, warnings);
  return { ...everywhere, groups, warnings, file: file.path, sources: sourcesOf(layers, file.layers.groups) };
}

type Values = ReadonlyMap<SettingName, { readonly valid: boolean; readonly value: unknown }>;

function describe(problems: readonly string[]): string {
  const lines = problems.map((problem) => `  ${problem}`);
  return `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} with the settings:\n${lines.join('\n')}`;
}

interface ConfigFile {
  readonly layers: FileLayers;
  /** null: there is none, or it cannot be read. */
  readonly path: string | null;
}

function readConfigFile(sources: SettingsSources, problems: string[]): ConfigFile {
  const none: ConfigFile = { layers: { settings: new Map(), groups: new Map() }, path: null };
  const path = sources.configPath ?? join(sources.dataDir, CONFIG_FILE);
  let text: string | undefined;
  try {
    text = sources.readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    problems.push(`${path}: cannot be read (${code}); check who owns it and its mode`);
    return none;
  }
  if (text !== undefined) return { layers: readLayers(path, text, problems), path };
  if (sources.configPath !== undefined) problems.push(`${path}: there is no such file (--config)`);
  else if (sources.fileExpected === true) {
    problems.push(`${path}: there is no such file any more; put it back, or an empty one for the defaults`);
  }
  return none;
}

function fromEnvironment(env: SettingsSources['env'], problems: string[]): Layer {
  const layer = new Map<SettingName, Given>();
  // Inside a container the names that a runner is given speak of its session, not of settings.
  const inContainer = (env[RUNNER_ENV.epoch] ?? '') !== '';
  const known = [...Object.keys(HOST_SETTINGS.shape), ...Object.keys(GROUP_SETTINGS.shape)].map(
    (name) => PREFIX + name,
  );
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || value === undefined || value === '') continue;
    const name = variable.slice(PREFIX.length);
    const isOther = OTHER_VARIABLES.includes(variable);
    if (isSettingName(name) && !(isOther && inContainer)) {
      layer.set(name, {
        value,
        subject: `environment variable ${variable}`,
        source: { from: 'environment', place: variable },
      });
    } else if (!isOther) {
      const hint = nearest(variable, [...known, ...OTHER_VARIABLES]);
      problems.push(`environment variable ${variable} is no setting; ${hint}`);
    }
  }
  return layer;
}

function fromFlags(flags: SettingsSources['flags'], problems: string[]): Layer {
  const layer = new Map<SettingName, Given>();
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const place = `--${name.toLowerCase().replaceAll('_', '-')}`;
    if (isSettingName(name)) layer.set(name, { value, subject: `option ${place}`, source: { from: 'flag', place } });
    else problems.push(`option ${place} is no setting; ${nearest(name, Object.keys(SHAPE))}`);
  }
  return layer;
}

const SHAPE = { ...HOST_SETTINGS.shape, ...GROUP_SETTINGS.shape };

function readValues(layer: Layer, problems: string[], warnings: string[]): Values {
  const values = new Map<SettingName, { valid: boolean; value: unknown }>();
  for (const [name, { value, subject }] of layer) {
    const schema = SHAPE[name];
    const facts = FACTS.get(schema);
    const result = schema.safeParse(value);
    values.set(name, { valid: result.success, value: result.success ? value : undefined });
    if (result.success) continue;
    const found = facts?.secret === true ? '' : `; found ${shorten(value)}`;
    const problem = `${subject} ${result.error.issues.map((issue) => issue.message).join(', ')}${found}`;
    if (facts?.failsSafe === true) warnings.push(`${problem}; the default, ${facts.shown}, is used`);
    else problems.push(problem);
  }
  return values;
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Every setting by its field's name; what is not given, or wrong, is at its default. */
function settingsOf(values: Values): SettingValues {
  const given = Object.fromEntries([...values].map(([name, { value }]) => [name, value]));
  const parsed = { ...HOST_SETTINGS.parse(given), ...GROUP_SETTINGS.parse(given) };
  const fields = Object.entries(parsed).map(([name, value]) => [fieldOf(name as SettingName), value]);
  return Object.fromEntries(fields) as SettingValues;
}

function sourcesOf(
  layers: readonly Layer[],
  groups: ReadonlyMap<string, ReadonlyMap<GroupSettingName, Given>>,
): Settings['sources'] {
  const sources = new Map<string, SettingSource>();
  for (const layer of layers) for (const [name, { source }] of layer) sources.set(name, source);
  for (const [group, layer] of groups) {
    for (const [name, { source }] of layer) sources.set(`groups.${group}.${name}`, source);
  }
  return sources;
}
