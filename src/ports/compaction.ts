export interface Compaction {
  /** Pages of the file, and how many of them hold nothing. */
  facts(): { readonly pages: number; readonly free: number; readonly bytes: number };
  /** Whether it can be done in steps; a file from before version 3 has to be written anew once. */
  readonly isIncremental: boolean;
  /** Gives back some of what is free, in about a millisecond; false: nothing is left. */
  step(): boolean;
  /** Writes the file anew: holds everybody up, for about a second per 100 MB. */
  whole(): void;
}
