import type { Logger } from '../../src/observe/logs.js';
import { policyFor } from '../../src/config/policy.js';
import { deskSettings } from '../../src/daemon/desk-settings.js';
import { retentionOf, upkeepSettings } from '../../src/daemon/upkeep-settings.js';
import { roundsSettings } from '../../src/daemon/rounds-settings.js';
import { specSource } from '../../src/daemon/spec-source.js';
import type { DeskApi } from '../../src/desk/api.js';
import { deskApi } from '../../src/desk/desk-api.js';
import { createNotices } from '../../src/observe/notices.js';
import type { Registry } from '../../src/ports/registry.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import { PorterRounds } from '../../src/rounds/rounds.js';
import { PorterUpkeep } from '../../src/upkeep/upkeep.js';
import { openRegistry } from '../../src/store/registry/open-registry.js';
import { StagingFolder } from '../../src/store/staging.js';
import { InProcessSessionFiles } from '../support/in-process-files.js';
import type { FilesCall } from '../support/in-process-files.js';
import { LookCache } from './look-cache.js';
import type { SimEngine } from './engine.js';
import { SimRuntime } from './runtime.js';
import type { Owner } from './timeline.js';
import type { Truth } from './truth.js';
import { HostGone } from './world.js';
import type { Mortal, World } from './world.js';

const READS = new Set([
  'look',
  'signatures',
  'failed',
  'message',
  'states',
  'replies',
  'series',
  'occurrences',
  'readAttachment',
  'answersTo',
  'folders',
  'stray',
  'measure',
  'prunable',
  'artifacts',
  'resumeIds',
]);
/** To deliver takes inbound.db alone, artifacts are folders: whether a container locks its own file they do not tell. */
const PASS_LOCKS = new Set(['deliver', 'artifacts', 'removeArtifacts']);
const LOCKED = { kind: 'busy', file: 'outbound.db', detail: 'SQLITE_BUSY: database is locked' } as const;
const CHILD_KILLED = { kind: 'busy', file: 'session files', detail: 'the child was killed at its deadline' } as const;

/** One life of the daemon: the real rounds and desk over real files and a real registry, a simulated clock and engine. */
export class SimHost implements Owner, Mortal {
  isDead = false;
  frozenUntilMs = 0;
  readonly registry: Registry;
  readonly rounds: PorterRounds;
  readonly api: DeskApi;
  /** null: none is done in this world. */
  readonly upkeep: PorterUpkeep | null;
  readonly #world: World;
  readonly #real: Registry;
  readonly #onDeath: (host: SimHost) => void;

  /** Throws as a daemon that cannot start: a full disk. */
  constructor(world: World, engine: SimEngine, truth: Truth, log: Logger, onDeath: (host: SimHost) => void) {
    this.#world = world;
    this.#onDeath = onDeath;
    const { dataDir, settings, timeline } = world;
    this.#real = world.act(this, () => openRegistry({ dataDir, mode: 'write' }));
    this.registry = guarded(this.#real, this, world, truth);
    const clock = timeline.clockOf(this);
    const files = new SimFiles(world, this, truth);
    const runtime = new SimRuntime(world, this, engine);
    const ofRounds = { ...roundsSettings(settings), watchIntervalMs: world.chance.pick([2_000, 5_000, 20_000]) };
    this.rounds = new PorterRounds({
      registry: this.registry,
      files,
      runtime,
      clock,
      log,
      notices: createNotices(this.registry, clock, log),
      settings: () => ofRounds,
      specs: specSource({
        dataDir,
        settings: () => settings,
        registry: this.registry,
        runtime: 'process',
        runnerVersion: '1',
        environment: {},
      }),
      policy: (record) => policyFor(settings, record.group, record.provider),
    });
    this.upkeep = world.hasUpkeep
      ? new PorterUpkeep({
          registry: this.registry,
          files,
          supervision: this.rounds,
          clock,
          log,
          notices: createNotices(this.registry, clock, log),
          settings: () => upkeepSettings(settings),
          retention: ({ group }) => retentionOf(settings, group),
          folderOf: (session) => session,
        })
      : null;
    let ids = 0;
    const life = world.chance.int(0, 2 ** 31).toString(36);
    this.api = deskApi({
      registry: this.registry,
      files,
      staging: new StagingFolder(dataDir),
      rounds: this.rounds,
      upkeep: this.upkeep,
      nanoclaw: null,
      runtime,
      clock,
      random: { id: () => `${life}-${String((ids += 1))}` },
      settings: () => deskSettings(dataDir, settings),
      log,
      requestStop: () => undefined,
      reloadSettings: null,
    });
  }

  die(how: string): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#world.note('host dies', () => how);
    this.#onDeath(this);
  }

  /** What a killed process leaves to the kernel. */
  bury(): void {
    this.isDead = true;
    this.#real.close();
  }
}

/** Reads of the registry that are asked for over and over; the same until something of it changes. */
const REPEATED: readonly string[] = ['findSession', 'guard', 'findIncarnation', 'spooled', 'replays'];

/** The registry of one life: gone with it, and in trouble when the disk is. */
function guarded(registry: Registry, host: Mortal, world: World, truth: Truth): Registry {
  const ends = watchEnds(registry, truth);
  const guards = new Map<string, (...values: unknown[]) => unknown>();
  let answers = new Map<string, unknown>();
  let changes = -1;
  const repeated = (name: string, values: readonly unknown[], ask: () => unknown): unknown => {
    if (host.isDead) throw new HostGone('this host was killed');
    if (changes !== world.registryChanges) answers = new Map<string, unknown>();
    changes = world.registryChanges;
    const key = `${name} ${values.join(' ')}`;
    if (!answers.has(key)) answers.set(key, ask());
    return answers.get(key);
  };
  return new Proxy(registry, {
    get(target, name: string) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      const known = guards.get(name);
      if (known !== undefined) return known;
      const call = (...values: unknown[]): unknown => Reflect.apply(member, target, values) as unknown;
      const guard = REPEATED.includes(name)
        ? (...values: unknown[]): unknown => repeated(name, values, () => call(...values))
        : (...values: unknown[]): unknown =>
            world.act(host, () => {
              ends(name, values);
              return call(...values);
            });
      guards.set(name, guard);
      return guard;
    },
  });
}

/** Tells of sessions that are about to end. */
function watchEnds(registry: Registry, truth: Truth): (name: string, values: readonly unknown[]) => void {
  return (name, [session, status, , reason]) => {
    const address = session as SessionAddress;
    if (name === 'deleteSession') truth.deleting(address, registry.findSession(address));
    if (name === 'setStatus' && status === 'closed' && reason === 'idle') truth.closingAsIdle(address);
  };
}

/** Session files in real folders; when a call is carried out and when it is answered are events of the simulation. */
class SimFiles extends InProcessSessionFiles {
  readonly #world: World;
  readonly #host: SimHost;

  constructor(world: World, host: SimHost, truth: Truth) {
    const looks = new LookCache(world);
    super({
      dataDir: world.dataDir,
      now: () => world.timeline.wallMs,
      around: (call, work) => carryOut(world, looks, host, truth, call, work),
    });
    this.#world = world;
    this.#host = host;
  }

  override signatures(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]> {
    const { timeline } = this.#world;
    return new Promise((resolve) => {
      timeline.at(2, this.#host, () => {
        resolve(sessions.map((session) => this.#world.version(session)));
      });
    });
  }
}

function carryOut<T>(
  world: World,
  looks: LookCache,
  host: SimHost,
  truth: Truth,
  call: FilesCall,
  work: () => T,
): Promise<T | typeof LOCKED | typeof CHILD_KILLED> {
  const { timeline, chance } = world;
  const { session, operation } = call;
  const isSlow = world.areFilesSlow && chance.is(0.2);
  const beforeMs = isSlow ? chance.int(0, 1_500) : chance.int(0, 15);
  const afterMs = isSlow ? chance.int(0, 1_500) : chance.int(0, 5);
  const isChildKilled = isSlow && chance.is(0.1);
  return new Promise((resolve, reject) => {
    timeline.at(beforeMs, host, () => {
      let answer: () => void;
      try {
        if (session !== null && world.lockOf(session) !== undefined) {
          answer = () => {
            resolve(LOCKED);
          };
        } else {
          const version = session === null ? null : world.version(session);
          world.counts.set(`files ${operation}`, (world.counts.get(`files ${operation}`) ?? 0) + 1);
          const result = world.act(host, () => (operation === 'look' ? looks.read(call, work) : work()), {
            operation,
            session,
          });
          if (session !== null && !READS.has(operation)) {
            if (operation === 'remove') world.forget(session);
            else world.touch(session);
            truth.readFiles(session);
          }
          if (session !== null && !PASS_LOCKS.has(operation)) world.readableMs.set(session, timeline.monotonicMs);
          answer = () => {
            resolve(isChildKilled ? CHILD_KILLED : signed(result, version ?? '0'));
          };
        }
      } catch (error) {
        if (session !== null && !READS.has(operation)) {
          world.touch(session);
          truth.readFiles(session);
        }
        answer = () => {
          reject(error instanceof Error ? error : new HostGone('unknown'));
        };
      }
      timeline.at(afterMs, host, answer);
    });
  });
}

/** Signatures of the simulation: those of real files depend on when this machine wrote them. */
function signed<T>(result: T, version: string): T {
  if (typeof result !== 'object' || result === null || !('signature' in result)) return result;
  return { ...result, signature: version };
}
