import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export const USAGE = `usage: npm run chaos -- --runtime docker|process [--minutes 10] [--seed N] [--sessions 24] [--keep]
  Loads the built daemon on a small disk of its own, breaks what can break, and counts afterwards what became of
  every accepted message. Needs Linux and root (it mounts a tmpfs); --runtime docker starts a dockerd of its own.
  --keep leaves data dir and logs where they are, as after a failure.`;

const MOST_MINUTES = 24 * 60;

export function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      runtime: { type: 'string' },
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      sessions: { type: 'string', default: '24' },
      keep: { type: 'boolean', default: false },
    },
  });
  const { runtime } = values;
  if (runtime !== 'docker' && runtime !== 'process') throw new Error('--runtime is docker or process');
  return {
    runtime,
    minutes: numberOf('--minutes', values.minutes, 0.05, MOST_MINUTES),
    seed: Math.trunc(values.seed === undefined ? randomInt(2 ** 31) : numberOf('--seed', values.seed, 0, 2 ** 32 - 1)),
    sessions: Math.trunc(numberOf('--sessions', values.sessions, 2, 500)),
    keep: values.keep,
  };
}

function numberOf(name, text, least, most) {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new Error(`${name} is a number from ${String(least)} to ${String(most)}`);
}
