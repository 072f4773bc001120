import { choice, duration, optionalWord, word } from './kinds.js';

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;

/** What the runtime is made with: all of it is read once, at the start. */
export const runtimeSettings = (section: string) => ({
  RUNTIME: choice({
    section,
    text: 'What runs containers; auto decides at the first start of a data dir and records it.',
    restart: true,
    choices: ['auto', 'docker', 'process'],
    default: 'auto',
  }),
  RUNNER_BASE_IMAGE: word({
    section,
    text: 'Image that the runner image is built on.',
    restart: true,
    pattern: /^[a-z0-9][a-zA-Z0-9._/:@-]{0,254}$/,
    allowed: 'the name of an image, such as node:20-bookworm-slim',
    range: 'an image',
    default: 'node:20-bookworm-slim',
  }),
  HOST_DATA_DIR: optionalWord({
    section,
    text: 'Where a daemon that itself runs in a container has its data dir on the machine of the engine.',
    restart: true,
    pattern: /^\/[^\0]*$/,
    allowed: 'an absolute path',
    range: 'an absolute path',
    shown: 'the data dir',
  }),
  RUNTIME_DEADLINE_MS: duration({
    section,
    text: 'Longest wait for one call to the engine, the grace of a stop not included.',
    restart: true,
    min: 100,
    max: HOUR,
    default: 30 * SECOND,
  }),
  ORPHANS: choice({
    section,
    text: 'At start: adopt takes over the running containers of live sessions, remove removes all of this install.',
    restart: true,
    choices: ['adopt', 'remove'],
    default: 'adopt',
  }),
});
