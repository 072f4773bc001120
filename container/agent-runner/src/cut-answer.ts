import { firstBytes } from './cut-text.js';

const MAX_REASON_BYTES = 100;

/** An answer as far as it goes: what there is was paid for, and whoever reads it can ask for more; `why`: its provider's word. */
export function cutAnswer(text: string, why: string): string {
  return `${text.trim()}\n\n[This answer was cut off by its provider: ${firstBytes(why, MAX_REASON_BYTES)}]`;
}
