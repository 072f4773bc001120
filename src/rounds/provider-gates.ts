import { createHmac } from 'node:crypto';
import { gateAfterLimit, gateAfterProbe, gatePermission, isGatePast, opensGate } from '../core/provider-gate.js';
import type { GatePermission, ProviderGate } from '../core/provider-gate.js';
import { isStarting, trialAfterStart, trialAfterTurn, trialAtStart, trialPermission } from '../core/provider-trial.js';
import type { ProviderTrial } from '../core/provider-trial.js';
import type { Notices } from '../observe/notices.js';
import type { Logger } from '../observe/logs.js';
import type { Clock } from '../ports/clock.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { SessionAddress } from '../protocol/address.js';
import { formatInstant } from '../protocol/times.js';
import type { SpecSource } from './container-spec.js';
import type { MessageAction } from './message-actions.js';

export interface ProviderGatesOptions {
  readonly registry: Registry;
  readonly specs: SpecSource;
  readonly clock: Clock;
  readonly notices: Notices;
  readonly log: Logger;
  readonly hint: (session: SessionAddress) => void;
}

const OPEN: GatePermission = { kind: 'open' };
/** Variables that say where a provider is asked, and as whom. */
const ACCOUNT = /(?:_KEY|_TOKEN|_URL|_PROFILE|_PROJECT|_ORGANIZATION)$/;
const CANDIDATES = 4;
const NEXT_CANDIDATES_MS = 1_000;

/** They ask nobody, or whom they ask is not known. */
const NOT_TRIED: ReadonlySet<string> = new Set(['echo', 'command']);

/**
 * Which providers limit us, and which session tries whether they still do (L18), kept in the registry; and which session
 * asks a provider first that nothing was heard from lately.
 */
export class ProviderGates {
  readonly #options: ProviderGatesOptions;
  #loaded: Map<string, ProviderGate> | undefined;
  /** Who was told to wait, by provider, who waits longest first. They are not looked at meanwhile, however many they are. */
  readonly #waiting = new Map<string, Set<SessionAddress>>();
  readonly #cancel = new Map<string, () => void>();
  readonly #trials = new Map<string, ProviderTrial>();
  #isClosed = false;

  constructor(options: ProviderGatesOptions) {
    this.#options = options;
  }

  get #gates(): Map<string, ProviderGate> {
    return (this.#loaded ??= new Map(this.#options.registry.providerGates()));
  }

  permission(record: SessionRecord): GatePermission {
    // The usual case of a command: nothing needs to be known of the session.
    if (this.#gates.size === 0 && !this.#isTried(record)) return OPEN;
    return this.#permissionOf(this.#providerOf(record), record.address);
  }

  #permissionOf(provider: string, session: SessionAddress): GatePermission {
    const nowMs = this.#options.clock.now();
    const permission = gatePermission(this.#gates.get(provider), session, nowMs);
    if (permission.kind !== 'open' || NOT_TRIED.has(nameOf(provider))) return permission;
    return trialPermission(this.#trials.get(provider), session, nowMs);
  }

  /** False: it waits. True where it asks first: the others wait from now on, until `started` or `startEnded`. */
  mayStart(record: SessionRecord): boolean {
    const permission = this.permission(record);
    if ('untilMs' in permission) {
      this.waits(record, permission.untilMs);
      return false;
    }
    if (permission.kind === 'open') return true;
    const provider = this.#providerOf(record);
    const nowMs = this.#options.clock.now();
    if (!this.#gates.has(provider)) this.#trials.set(provider, trialAtStart(record.address, nowMs));
    return true;
  }

  /** Its container runs. */
  started(session: SessionAddress): void {
    const provider = this.#triedBy(session);
    if (provider === undefined) return;
    this.#trials.set(provider, trialAfterStart(session, this.#options.clock.now()));
    this.#letTry(provider);
  }

  /** However it ended: where no container runs another session asks first. */
  startEnded(session: SessionAddress): void {
    const provider = this.#triedBy(session);
    if (provider === undefined) return;
    this.#trials.delete(provider);
    this.#letTry(provider);
  }

  /** The provider that it is started for first. */
  #triedBy(session: SessionAddress): string | undefined {
    for (const [provider, trial] of this.#trials) if (isStarting(trial, session)) return provider;
    return undefined;
  }

  /** The session has work, and waits until it may be the one that tries, or need not wait. */
  waits(record: SessionRecord, untilMs: number): void {
    const provider = this.#providerOf(record);
    const waiting = this.#waiting.get(provider) ?? new Set();
    this.#waiting.set(provider, waiting.add(record.address));
    this.#arm(provider, untilMs - this.#options.clock.now());
  }

  /** It does not wait; who still has to says so again. */
  forget(session: SessionAddress): void {
    for (const waiting of this.#waiting.values()) waiting.delete(session);
  }

  isWaiting(session: SessionAddress): boolean {
    for (const waiting of this.#waiting.values()) if (waiting.has(session)) return true;
    return false;
  }

  /** Sessions may have moved to other providers, which need not wait: whoever still has to says so again. */
  settingsChanged(): void {
    this.#cancelTimers();
    this.#waiting.clear();
  }

  /** A limit that is over, of a provider that nobody asked since, is told of no more. */
  tidy(): void {
    for (const [provider, gate] of this.#gates) {
      const isAwaited = (this.#waiting.get(provider)?.size ?? 0) > 0;
      if (!isAwaited && isGatePast(gate, this.#options.clock.now())) this.#open(provider);
    }
    for (const [provider, { openUntilMs }] of this.#trials) {
      if (this.#options.clock.now() >= openUntilMs) this.#trials.delete(provider);
    }
  }

  /** Starts in flight end later: what they tell arms no timer any more. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimers();
  }

  #cancelTimers(): void {
    for (const cancel of this.#cancel.values()) cancel();
    this.#cancel.clear();
  }

  /** One timer for all that wait. */
  #arm(provider: string, delayMs: number): void {
    this.#cancel.get(provider)?.();
    if (this.#isClosed) return;
    const cancel = this.#options.clock.after(Math.max(0, delayMs), () => {
      this.#cancel.delete(provider);
      this.#letTry(provider);
    });
    this.#cancel.set(provider, cancel);
  }

  /** A few are looked at: the first one that still has work becomes the probe, the others go on waiting. */
  #letTry(provider: string): void {
    const waiting = this.#waiting.get(provider);
    const [first] = waiting ?? [];
    if (waiting === undefined || first === undefined) return;
    const permission = this.#permissionOf(provider, first);
    if ('untilMs' in permission) {
      this.#arm(provider, permission.untilMs - this.#options.clock.now());
      return;
    }
    if (permission.kind === 'open') {
      this.#release(provider);
      return;
    }
    for (const session of [...waiting].slice(0, CANDIDATES)) {
      waiting.delete(session);
      this.#options.hint(session);
    }
    // Where none of them has work any more.
    if (waiting.size > 0) this.#arm(provider, NEXT_CANDIDATES_MS);
  }

  #release(provider: string): void {
    const waiting = this.#waiting.get(provider) ?? [];
    this.#waiting.delete(provider);
    this.#cancel.get(provider)?.();
    this.#cancel.delete(provider);
    for (const session of waiting) this.#options.hint(session);
  }

  /** The session is about to be started; in the transaction that numbers the incarnation. */
  starts(record: SessionRecord): void {
    if (this.#gates.size === 0) return;
    const provider = this.#providerOf(record);
    const gate = this.#gates.get(provider);
    if (gate === undefined || this.permission(record).kind !== 'probe') return;
    this.#save(provider, gateAfterProbe(gate, record.address, this.#options.clock.now()));
  }

  /** How turns of the session ended; in the transaction that tells of them. */
  ended(record: SessionRecord, actions: readonly MessageAction[]): void {
    const limits = actions.filter((action) => action.kind === 'defer').map(({ dueAtMs }) => dueAtMs);
    if (limits.length > 0) this.#limited(record, Math.max(...limits));
    else if (actions.some((action) => 'by' in action && action.by === 'ack')) {
      this.#heard(record);
      if (actions.some(({ kind }) => kind === 'complete')) this.#answered(record);
    }
  }

  #heard(record: SessionRecord): void {
    if (!this.#isTried(record)) return;
    const provider = this.#providerOf(record);
    this.#trials.set(provider, trialAfterTurn(this.#options.clock.now()));
    if (!this.#gates.has(provider)) this.#release(provider);
  }

  #limited(record: SessionRecord, retryAtMs: number): void {
    const { clock, notices, log } = this.#options;
    const provider = this.#providerOf(record);
    const gate = gateAfterLimit(this.#gates.get(provider), record.address, retryAtMs, clock.now());
    this.#save(provider, gate);
    this.#trials.delete(provider);
    const until = formatInstant(gate.untilMs);
    log.info({ session: record.address, provider, until }, 'provider limits us');
    notices.raise(
      'provider_limited',
      null,
      `the provider ${nameOf(provider)} limits us until ${until}: its sessions wait, one at a time tries whether it still does. Nothing needs to be done, unless it is so often`,
    );
  }

  /** Only a probe's answer tells, be it of one that others did not wait for: turns of before may have begun before the limit. */
  #answered(record: SessionRecord): void {
    if (this.#gates.size === 0) return;
    const provider = this.#providerOf(record);
    const gate = this.#gates.get(provider);
    if (gate === undefined) return;
    const [newest] = this.#options.registry.incarnations(record.address, 1);
    if (newest === undefined || !opensGate(gate, newest.begunAtMs)) return;
    this.#options.log.info({ session: record.address, provider }, 'provider limits us no more');
    this.#open(provider);
  }

  #open(provider: string): void {
    this.#save(provider, null);
    if (this.#gates.size === 0) this.#options.notices.settle('provider_limited', null);
    this.#release(provider);
  }

  #save(provider: string, gate: ProviderGate | null): void {
    this.#options.registry.saveProviderGate(provider, gate);
    if (gate === null) this.#gates.delete(provider);
    else this.#gates.set(provider, gate);
  }

  #isTried(record: SessionRecord): boolean {
    return !NOT_TRIED.has(this.#options.specs.template(record).provider);
  }

  /**
   * Whose limit it is: of a place that is asked with an account. Two programs of the provider `command` have nothing to do
   * with each other either. Of keys only a digest is kept, which no other install can compare.
   */
  #providerOf(record: SessionRecord): string {
    const { provider, command, asking, environment, secretFiles } = this.#options.specs.template(record);
    const account = [...Object.entries(environment), ...Object.entries(secretFiles)].filter(([name]) =>
      ACCOUNT.test(name),
    );
    const place = [
      provider === 'command' ? command : null,
      asking.baseUrls[provider] ?? asking.baseUrls['*'] ?? null,
      account.sort(([one], [other]) => (one < other ? -1 : 1)),
    ];
    const digest = createHmac('sha256', this.#options.specs.install).update(JSON.stringify(place)).digest('hex');
    return `${provider}:${digest.slice(0, 16)}`;
  }
}

function nameOf(provider: string): string {
  return provider.split(':', 1)[0] ?? provider;
}
