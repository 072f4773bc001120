export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(1, columns - 3))}...`;
}

/** `2030-01-31 08:30:00` (UTC), or `-`. */
export function shortTime(instant: string | null): string {
  return instant === null ? '-' : instant.slice(0, 19).replace('T', ' ');
}
