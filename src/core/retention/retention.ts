import type { ArtifactWindows } from './artifacts.js';
import type { SessionRetention } from './session-life.js';

/** How long what belongs to a session is kept; milliseconds, 0: for ever. Ranges and defaults: config.ts. */
export interface Retention extends SessionRetention {
  /** How long after its last use a provider's session is resumed. */
  readonly resumeIdsMs: number;
  readonly completedMs: number;
  readonly deadLettersMs: number;
  readonly artifacts: ArtifactWindows;
}
