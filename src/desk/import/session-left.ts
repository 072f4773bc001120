import type { Read } from '../../ports/nanoclaw.js';

/** It cannot be brought; said of the session as a whole. */
export class SessionLeft extends Error {}

/** @throws SessionLeft */
export function requireRead<T>(read: Read<T>): T & { readonly kind: 'ok' } {
  if (read.kind === 'ok') return read;
  throw new SessionLeft(read.why);
}
