/** A value that a container writes and the host watches: when the host saw it change, and its first sighting. */
export interface Sighting {
  /** As found; null: none. */
  readonly valueMs: number | null;
  /** Wall clock at which the host first saw this value: a future value counts as of then. */
  readonly seenAtMs: number;
  /** Monotonic time of the last change that the host saw, or of its first look. */
  readonly changedAtMonotonicMs: number;
}

/** What the host remembers of one running incarnation between looks. */
export interface RunningMemory {
  readonly epoch: number;
  readonly heartbeat: Sighting;
  readonly progress: Sighting;
  readonly toolStart: Sighting;
  /** First sighting, wall clock, of each claim, by `message id` and attempt. */
  readonly claimsSeenAtMs: ReadonlyMap<string, number>;
  /** Monotonic time since which it has neither a claim nor due work; null: it has. */
  readonly idleSinceMonotonicMs: number | null;
}
