const DAY_MS = 24 * 3_600_000;

/** Made once per zone: making one takes longer than all the rest of a schedule. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(zone, format);
  return format;
}

/** Offsets by zone and quarter of an hour: near a change of the clocks the same ones are asked for over and over. */
const offsets = new Map<string, Map<number, number>>();
const MOST_OFFSETS = 2_000;
/** Clocks are changed at full quarters; what was otherwise ended in 1972. */
const QUARTER_MS = 15 * 60_000;

/** Milliseconds that the zone's clocks are ahead of UTC at an instant. */
export function offsetMs(zone: string, instantMs: number): number {
  const ofZone = offsets.get(zone) ?? new Map<number, number>();
  const quarter = Math.floor(instantMs / QUARTER_MS);
  const known = ofZone.get(quarter);
  if (known !== undefined) return known;
  const found = askOffsetMs(zone, quarter * QUARTER_MS);
  if (ofZone.size >= MOST_OFFSETS) ofZone.clear();
  offsets.set(zone, ofZone.set(quarter, found));
  return found;
}

function askOffsetMs(zone: string, instantMs: number): number {
  const fields: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instantMs)) fields[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  return Date.UTC(year, month - 1, day, hour, minute, second) - instantMs;
}

/** The offsets a day before and a day after: they differ only near a change of the clocks. */
export function offsetsAround(zone: string, instantMs: number): readonly [beforeMs: number, afterMs: number] {
  return [offsetMs(zone, instantMs - DAY_MS), offsetMs(zone, instantMs + DAY_MS)];
}

/**
 * The instants at which a zone's clocks show a wall time (as if it were UTC), in order: one; two where the clocks are
 * set back over it; where they skip it, the one that is as much later as they skip.
 */
export function instantsOf(zone: string, wallMs: number): readonly number[] {
  const [before, after] = offsetsAround(zone, wallMs);
  if (before === after) return [wallMs - before];
  // Both show it only where the clocks are set back: then the first is the earlier one.
  const candidates = [wallMs - before, wallMs - after];
  const shown = candidates.filter((instantMs) => instantMs + offsetMs(zone, instantMs) === wallMs);
  return shown.length > 0 ? shown : [wallMs - before];
}
