import { isDeepStrictEqual } from 'node:util';
import type { GroupSettingName, GroupSettings, HostSettingName, SettingName, Settings } from '../config.js';
import { GROUP_SETTINGS, HOST_SETTINGS, fieldOf } from '../config.js';
import { describeValue, factsOf, valueOf } from './reference.js';

/** A setting that is another one than before. Values that may hold secrets are masked, as `config` masks them. */
export interface SettingChange {
  /** `MAX_TRIES`, or `groups.<name>.MAX_TRIES` where the group has, or had, its own. */
  readonly setting: string;
  /** Milliseconds, bytes, ...; of a group what holds for it, its own or not. */
  readonly from: unknown;
  readonly to: unknown;
  /** The same as people write it. */
  readonly shownFrom: string;
  readonly shownTo: string;
  /** false: only from the next start on. */
  readonly inEffect: boolean;
}

const HOST_NAMES = Object.keys(HOST_SETTINGS.shape) as HostSettingName[];
const GROUP_NAMES = Object.keys(GROUP_SETTINGS.shape) as GroupSettingName[];

/** What differs, in the order of the settings, then of the groups. Where a value came from does not matter. */
export function diffSettings(before: Settings, after: Settings): readonly SettingChange[] {
  const changes = [...HOST_NAMES, ...GROUP_NAMES].flatMap((name) => changeOf(name, name, before, after));
  for (const group of new Set([...before.groups.keys(), ...after.groups.keys()])) {
    for (const name of GROUP_NAMES) {
      const full = `groups.${group}.${name}`;
      if (!before.sources.has(full) && !after.sources.has(full)) continue;
      changes.push(...changeOf(full, name, holdingFor(before, group), holdingFor(after, group)));
    }
  }
  return changes;
}

/** What is in effect once `next` was read: all of it, but for what takes a restart. */
export function untilRestart(inEffect: Settings, next: Settings): Settings {
  const kept = HOST_NAMES.filter(takesRestart).map((name) => [fieldOf(name), valueOf(name, inEffect)] as const);
  return { ...next, ...(Object.fromEntries(kept) as Partial<Settings>) };
}

function holdingFor(settings: Settings, group: string): GroupSettings {
  return settings.groups.get(group) ?? settings;
}

function changeOf(
  setting: string,
  name: SettingName,
  before: Partial<Settings>,
  after: Partial<Settings>,
): readonly SettingChange[] {
  const [found, next] = [valueOf(name, before), valueOf(name, after)];
  if (isDeepStrictEqual(found, next)) return [];
  const [from, to] = [describeValue(name, found), describeValue(name, next)];
  const shown = { shownFrom: from.shown, shownTo: to.shown };
  return [{ setting, from: from.value, to: to.value, ...shown, inEffect: !takesRestart(name) }];
}

function takesRestart(name: SettingName): boolean {
  return factsOf(name).restart === true;
}
