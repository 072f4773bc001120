import type { SessionAddress } from '../protocol/address.js';

export type NoticeKind =
  | 'held'
  | 'quarantined'
  | 'replaced_corrupt_file'
  | 'stopped'
  | 'dead_letter'
  | 'unstoppable'
  | 'wake_failing'
  | 'not_claiming'
  | 'runtime_down'
  | 'mass_stale'
  | 'clock_jump'
  | 'disk_full'
  | 'image_missing'
  | 'duplicate_series'
  | 'series_retired'
  | 'folder_missing'
  | 'file_busy'
  | 'stale_active'
  | 'provider_limited'
  | 'budget_spent';

export interface NewNotice {
  readonly kind: NoticeKind;
  /** null: of the whole install. */
  readonly session: SessionAddress | null;
  /** For people: what, where, what to do. */
  readonly text: string;
  readonly atMs: number;
}

export interface NoticeRecord extends NewNotice {
  readonly count: number;
  readonly lastAtMs: number;
}
