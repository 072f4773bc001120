import type { Branded, Epoch, SessionAddress } from '../protocol/address.js';

export type ContainerId = Branded<string, 'ContainerId'>;
export type InstallId = Branded<string, 'InstallId'>;

/**
 * What runs containers. Every call ends within its deadline. An engine that is down, times out or answers 5xx rejects
 * with RuntimeUnavailable: the engine's state, never the session's fault. Everything else that can be expected is a value.
 */
export interface Runtime {
  readonly kind: 'docker' | 'process' | 'fake';
  /** Creates and starts; the name makes the engine refuse a second one. */
  start(spec: ContainerSpec): Promise<StartResult>;
  /** TERM, grace, KILL; `gone` only when the runtime confirmed that it does not run any more. Idempotent. */
  stop(id: ContainerId, graceMs: number): Promise<StopResult>;
  /** After its exit: exit code, OOM flag, last 64 KiB of output; then frees the name and removes the rest by itself. Idempotent. */
  harvest(container: Container): Promise<ContainerEnd>;
  /** Stops at once (KILL) what runs, removes the container and its leavings. Idempotent. */
  remove(id: ContainerId): Promise<void>;
  /** What carries this install's label, in every state, harvested ones aside. Others that it lists are left alone. */
  list(): Promise<readonly Container[]>;
  inspect(name: string): Promise<Container | undefined>;
  /**
   * Starts and exits, until the signal aborts. Ends (returns or throws) when the stream is lost; the caller opens it
   * again with backoff and lists. Only of this install's containers.
   */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
  /** Last output, stdout and stderr together, at most `maxBytes` from the end, invalid UTF-8 replaced. */
  logs(id: ContainerId, maxBytes: number): Promise<string>;
  /** Resolves when the runtime answers. */
  ping(): Promise<RuntimeInfo>;
  /** Makes what starts need (the docker runtime builds a missing runner image). Refusals reject with a clear error. */
  prepare(): Promise<void>;
  close(): Promise<void>;
}

export interface ContainerSpec {
  /** `np-<install8>-<sha256(address)[:16]>`. */
  readonly name: string;
  readonly install: InstallId;
  readonly session: SessionAddress;
  readonly epoch: Epoch;
  /** Of everything below that should make an old container be replaced. */
  readonly specHash: string;
  /** docker only; undefined: the install's runner image. */
  readonly image: string | undefined;
  /** Program and arguments; undefined: the image's entry point (docker), the runner (process). */
  readonly command: readonly string[] | undefined;
  /** Complete environment; nothing of the daemon's own is added. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables whose values are read from these files at the start, and kept nowhere; absolute. */
  readonly secretFiles?: Readonly<Record<string, string>>;
  /** Host paths, absolute. */
  readonly inDir: string;
  readonly outDir: string;
  readonly hostDir: string;
  readonly limits: ContainerLimits;
  /** docker: `none`, `bridge` or a network's name. */
  readonly network: string;
}

export interface ContainerLimits {
  readonly memoryBytes: number;
  /** 1.5 is one and a half cores. */
  readonly cpus: number;
  readonly pids: number;
}

export type StartResult =
  | { readonly kind: 'started'; readonly container: Container }
  /** One with this name and our label exists already: adopt or stop it. */
  | { readonly kind: 'exists'; readonly container: Container }
  /** The session's fault: no such image, no such entry point, a spec that the engine does not take. Counts in the guard. */
  | { readonly kind: 'refused'; readonly detail: string };

export type StopResult = { readonly kind: 'gone' } | { readonly kind: 'still_running'; readonly detail: string };

export type ContainerState = 'created' | 'running' | 'paused' | 'exited';

export interface Container {
  readonly id: ContainerId;
  readonly name: string;
  /** As its label says; undefined when there is none. */
  readonly install: InstallId | undefined;
  /** As its label says; undefined when the label is no address. */
  readonly session: SessionAddress | undefined;
  readonly epoch: Epoch;
  readonly specHash: string;
  readonly state: ContainerState;
  /** As the runtime tells; null when it never started. */
  readonly startedAtMs: number | null;
}

export interface ContainerEnd {
  /** null: unknown. */
  readonly exitCode: number | null;
  /** The signal's name where one ended it and the runtime knows. */
  readonly signal: string | null;
  readonly oomKilled: boolean;
  readonly finishedAtMs: number | null;
  /** At most 64 KiB. */
  readonly output: string;
}

export type RuntimeEvent = {
  readonly kind: 'started' | 'exited';
  readonly session: SessionAddress;
  readonly epoch: Epoch;
};

export interface RuntimeInfo {
  /** For people: `Docker 28.2.2`, `processes`. */
  readonly description: string;
  /** False for the process runtime. */
  readonly isolates: boolean;
}
