import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc tells it; `start` makes a pid one process's own. */
export function identify(pid) {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : { pid, start: fields[19] };
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, start }) {
  return identify(pid)?.start === start;
}

/** False: it is gone. */
export function signal({ pid, start }, name) {
  if (pid <= 1 || !isAlive({ pid, start })) return false;
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

export function pids() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Variables, or arguments; none where it is gone. */
export function readList(pid, file) {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8')
      .split('\0')
      .filter(Boolean);
  } catch {
    return [];
  }
}
