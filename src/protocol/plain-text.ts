// What agents wrote must not steer the terminal of whoever reads it: no control characters but newline and tab, and none
// that break a line or turn its direction.
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
/** Those that JSON leaves as they are. */
const STEERING_IN_JSON = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Text that came from elsewhere, safe to show. */
export function plain(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(STEERING, '\ufffd');
}

/** The same on one line. */
export function oneLine(text: string): string {
  return plain(text).replaceAll(/\s*\n\s*/g, ' ');
}

/** JSON that means the same and is safe to show: what steers terminals is escaped. */
export function plainJson(json: string): string {
  return json.replace(STEERING_IN_JSON, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
