/**
 * Files on their way into a message: written before it is accepted, moved into its session's folder when it is delivered.
 * Only the host sees them.
 */
export interface Staging {
  /**
   * Writes a file of its own; on disk when this resolves.
   * @throws NightporterError `usage` (over `maxBytes`), DiskFull; nothing is left of it then
   */
  put(name: string, bytes: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StagedFile>;
  /** Whether it is there as it was staged, and may still be sent. Synchronous: nothing removes it in the same turn. */
  has(file: StagedFile): boolean;
  /** Removes files that were refused or had been sent before. */
  drop(files: readonly StagedFile[]): Promise<void>;
  /** Removes what nobody sent for an hour. `isSent` is asked in the turn in which one is taken away. */
  clean(nowMs: number, isSent: (stage: string) => boolean): Promise<number>;
}

export interface StagedFile {
  /** Names the folder below `staging/`. */
  readonly stage: string;
  readonly name: string;
  readonly bytes: number;
  /** Of its bytes, in hex. */
  readonly sha256: string;
}
