import { describe, expect, it } from 'vitest';
import { nameOf, withHash } from '../../../../src/core/import/names.js';
import { isName } from '../../../../src/protocol/address.js';

describe('names of what is imported', () => {
  it('leaves what fits as it is', () => {
    for (const text of ['main', 'sess-1712-abc', 'A.b_c-9']) expect(nameOf(text)).toBe(text);
  });

  it('keeps what fits of others, with a hash of all of it', () => {
    // FNV-1a of 64 bits: the published values of "a" and "foobar".
    expect(withHash('a', 'a')).toBe('a-af63dc4c8601ec8c');
    expect(withHash('x', 'foobar')).toBe('x-85944171f73967e8');
    expect(withHash('t', 't0')).toBe('t-08c80007b56a5fc9');
    expect(nameOf('msg:/1')).toMatch(/^msg-1-[0-9a-f]{16}$/);
    expect(nameOf('../../etc')).toMatch(/^etc-[0-9a-f]{16}$/);
    expect(nameOf('äöü')).toMatch(/^x-[0-9a-f]{16}$/);
    expect(nameOf('')).toMatch(/^x-[0-9a-f]{16}$/);
    expect(nameOf('a..b.')).toMatch(/^a\.b-[0-9a-f]{16}$/);
  });

  it('makes names of whatever text, different ones of different texts', () => {
    const texts = [
      'a/b',
      'a:b',
      'a b',
      '.',
      '..',
      '\0',
      'x'.repeat(129),
      'x'.repeat(130),
      `${'y'.repeat(99)}.z`,
      '日本',
      '-a',
    ];
    const names = texts.map(nameOf);
    expect(names.filter((name) => !isName(name))).toEqual([]);
    expect(new Set(names).size).toBe(texts.length);
    expect(texts.map(nameOf)).toEqual(names);
  });
});
