import type { Epoch } from '../../protocol/address.js';
import { findAddress } from '../../protocol/address.js';
import { parseInstant } from '../../protocol/times.js';
import type { Container, ContainerId, ContainerState, InstallId } from '../../ports/runtime.js';
import { LABELS } from '../spec-labels.js';
import type { ContainerInfo, ContainerInspectInfo } from './engine.js';

type Labels = Readonly<Record<string, string>>;

/** What an engine's list says; it does not say when a container started. */
export function fromListed(info: ContainerInfo): Omit<Container, 'startedAtMs'> {
  return describe(info.Id, listedName(info.Names), info.Labels, info.State);
}

export function fromInspected(info: ContainerInspectInfo): Container {
  const { State: state } = info;
  return {
    ...describe(
      info.Id,
      withoutSlash(info.Name),
      labelsOf(info),
      state.Running && !state.Paused ? 'running' : state.Status,
    ),
    startedAtMs: engineTime(state.StartedAt),
  };
}

/** Also while it is stopping, which Podman does not call running. */
export function isAlive(info: ContainerInspectInfo): boolean {
  return ['running', 'paused'].includes(fromInspected(info).state);
}

export function labelsOf(info: ContainerInspectInfo): Labels {
  // An image without labels gives null here, whatever the types say.
  return (info.Config as { Labels: Labels | null }).Labels ?? {};
}

/** The engine's times; its zero time (0001-01-01) means never. */
export function engineTime(text: string): number | null {
  const atMs = parseInstant(text);
  return atMs === undefined || atMs <= 0 ? null : atMs;
}

/** Harvested ones wait for their removal under this name. */
export function harvestedName(name: string, epoch: Epoch): string {
  return `${name}-e${epoch}`;
}

export function isHarvested(container: Pick<Container, 'name' | 'epoch'>): boolean {
  return container.name.endsWith(harvestedName('', container.epoch));
}

function describe(id: string, name: string, labels: Labels, status: string): Omit<Container, 'startedAtMs'> {
  return {
    id: id as ContainerId,
    name,
    install: labels[LABELS.install] as InstallId | undefined,
    session: findAddress(labels[LABELS.session] ?? '')?.address,
    epoch: epochIn(labels[LABELS.epoch] ?? ''),
    specHash: labels[LABELS.spec] ?? '',
    state: stateOf(status),
  };
}

function epochIn(text: string): Epoch {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  return value as Epoch;
}

/** Docker: created, running, paused, restarting, removing, exited, dead; Podman has a few more. */
function stateOf(status: string): ContainerState {
  switch (status) {
    case 'created':
    case 'configured':
    case 'initialized':
      return 'created';
    case 'running':
    case 'restarting':
    case 'stopping':
      return 'running';
    case 'paused':
      return 'paused';
    default:
      return 'exited';
  }
}

function listedName(names: readonly string[]): string {
  // Linked containers have further names of the form /other/alias.
  const own = names.find((name) => !withoutSlash(name).includes('/'));
  return withoutSlash(own ?? '');
}

function withoutSlash(name: string): string {
  return name.startsWith('/') ? name.slice(1) : name;
}
