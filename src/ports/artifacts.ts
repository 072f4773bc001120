import type { ArtifactPart } from '../core/retention/artifacts.js';

export interface ArtifactPage {
  readonly found: readonly ArtifactPart[];
  /** Where the next call goes on; null: that was all. */
  readonly next: number | null;
  /** There is more than is ever looked at in one pass. */
  readonly isCut: boolean;
}

/** What was judged to go, and what that was judged by. */
export interface DoomedArtifact {
  /** Of all that belongs to it, from the session's folder on, there or not. */
  readonly paths: readonly string[];
  /** The newest write to any of it. */
  readonly newestMs: number;
  /** Ids that it is of; `unsaid`: of whoever. */
  readonly owners: readonly string[] | 'unsaid';
}

/** `changed`: something was written, or it is not what it was. `refused`: the system does not let the host. */
export type ArtifactEnd = 'removed' | 'live' | 'changed' | 'refused';
