const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1536` is `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  let power = 0;
  let size = bytes;
  while (size >= 1024 && power < UNITS.length - 1) {
    size /= 1024;
    power += 1;
  }
  return `${size < 10 && power > 0 ? size.toFixed(1) : String(Math.round(size))} ${UNITS[power] ?? ''}`;
}
