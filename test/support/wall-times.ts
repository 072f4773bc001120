/** Epoch milliseconds of `2026-03-29 00:59`, in UTC. */
export function utc(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}

/** What a zone's clocks show: `Sun 03:30 +2`. */
export function shown(instantMs: number, zone: string): string {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'shortOffset',
  });
  const parts = Object.fromEntries(format.formatToParts(instantMs).map(({ type, value }) => [type, value]));
  const { weekday = '', hour = '', minute = '', timeZoneName = '' } = parts;
  return `${weekday} ${hour}:${minute} ${timeZoneName.replace('GMT', '')}`.trim();
}
