// What agents wrote must not steer the terminal: no control characters but newline and tab.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text that came from elsewhere, safe to show. */
export function plain(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(CONTROL, '\ufffd');
}

/** The same on one line. */
export function oneLine(text: string): string {
  return plain(text).replaceAll(/\s*\n\s*/g, ' ');
}

export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(1, columns - 3))}...`;
}

/** `2030-01-31 08:30:00` (UTC), or `-`. */
export function shortTime(instant: string | null): string {
  return instant === null ? '-' : instant.slice(0, 19).replace('T', ' ');
}
