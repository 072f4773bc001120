import { bytes, count, duration } from './kinds.js';
import { names, words } from './lists.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const MIB = 1024 * 1024;

/** How agents are asked; see docs/providers.md. */
export const providerSettings = (section: string) => ({
  FALLBACK_PROVIDERS: names({
    section,
    text: 'Providers that do a turn, in this order, where the one of the session is down.',
    pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
  }),
  MODEL: words({
    section,
    text: 'Model of the provider, or of each provider by its name.',
    isValue: (text) => /^[\x21-\x7e]{1,256}$/.test(text),
    allowed: 'the name of a model, or a mapping from providers to theirs',
    shown: "the program's own (claude); the others need one",
  }),
  BASE_URL: words({
    section,
    text: 'Where a provider is asked over HTTP, such as http://127.0.0.1:11434/v1, or of each provider by its name.',
    isValue: isBaseUrl,
    allowed: 'a URL (http or https, no user in it), or a mapping from providers to theirs',
    shown: "the provider's own",
  }),
  CALL_DEADLINE_MS: duration({
    section,
    text: 'Longest wait for the next byte of a provider that is asked over HTTP; then it counts as down.',
    min: 50,
    max: 5 * MINUTE,
    default: 2 * MINUTE,
  }),
  HISTORY_MAX_MESSAGES: count({
    section,
    text: 'Earlier messages and answers, in all, that a provider without sessions of its own is told of with each call.',
    min: 0,
    max: 10_000,
    default: 50,
  }),
  HISTORY_MAX_BYTES: bytes({
    section,
    text: 'The bytes of their texts; the oldest are left out first.',
    min: 0,
    max: 64 * MIB,
    default: 256 * 1024,
  }),
});

function isBaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && username === '' && password === '';
}
