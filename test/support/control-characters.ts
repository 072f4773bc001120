// Made of code points, not typed: nobody sees such characters in a source file.
const char = (code: number): string => String.fromCharCode(code);

/** Sets a terminal's title, turns it red (seven and eight bit), clears it, and turns the direction of the line. */
export const STEERING = [
  `${char(0x1b)}]0;owned${char(0x07)}`,
  `${char(0x1b)}[31m`,
  `${char(0x9b)}31m`,
  `${char(0x1b)}[2J`,
  `${char(0x08)}${char(0x7f)}${char(0x202e)}`,
].join('');

const NEWLINE = 0x0a;
const TAB = 0x09;

/** The control characters of a text but newline and tab, and those that turn a line's direction, by code point. */
export function rawControls(text: string): readonly string[] {
  const codes = new Set(Array.from(text, (one) => one.codePointAt(0) ?? 0).filter(isControl));
  return [...codes].sort((a, b) => a - b).map((code) => `U+${code.toString(16).padStart(4, '0')}`);
}

function isControl(code: number): boolean {
  if (code === NEWLINE || code === TAB) return false;
  const isCode = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  const breaksOrTurns = (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return isCode || breaksOrTurns;
}
