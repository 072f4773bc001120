import { isName } from '../../protocol/address.js';

const MOST_CHARS = 100;
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** A name that stays as it is where it fits; else what fits of it and a hash of all of it: always the same for the same text. */
export function nameOf(text: string): string {
  return isName(text) ? text : withHash(text, text);
}

/** A name for what may not have its own, since another one differs from it only in case. */
export function withHash(text: string, hashed: string): string {
  const fits = text
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MOST_CHARS)
    .replace(/\.$/, '');
  return `${fits === '' ? 'x' : fits}-${hashOf(hashed)}`;
}

/** FNV-1a, 64 bits, in hex: tells apart what people and programs name; no defence against whoever wants two to be equal. */
function hashOf(text: string): string {
  let hash = FNV_OFFSET;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash.toString(16).padStart(16, '0');
}
