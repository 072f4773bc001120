export interface Clock {
  /** Wall clock, epoch milliseconds: may jump. */
  now(): number;
  /** Monotonic milliseconds since an arbitrary start: never goes back, never jumps. */
  monotonic(): number;
  /** Calls back once after `delayMs` (any length; long ones are chained). Returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}
