import { RUNNER_ENV } from '../../../src/protocol/workspace.js';

/** Those that are asked over HTTP, with a key. */
export const HTTP_PROVIDERS = ['anthropic', 'openai', 'openrouter', 'gemini', 'openai-compatible'] as const;
export type HttpProviderName = (typeof HTTP_PROVIDERS)[number];

export type ProviderChoice =
  | { readonly name: 'echo' }
  | { readonly name: 'command'; readonly command: readonly [string, ...string[]] }
  | { readonly name: 'claude'; readonly command: readonly [string, ...string[]]; readonly model: string | null }
  | { readonly name: HttpProviderName; readonly model: string | null; readonly baseUrl: string | null };

type Environment = Readonly<Record<string, string | undefined>>;
type Words = Readonly<Record<string, string>>;

const NAMES = ['echo', 'command', 'claude', ...HTTP_PROVIDERS] as const;
/** Of a setting that names one text for the session's own provider. */
const OWN = '*';

/** The session's provider and its chain; undefined: something is wrong with them. */
export function readProviders(
  first: string,
  env: Environment,
  problems: string[],
): readonly [ProviderChoice, ...ProviderChoice[]] | undefined {
  if (first === '') return undefined;
  const before = problems.length;
  const others = readStrings(env, RUNNER_ENV.fallbackProviders, problems).filter((name) => name !== first);
  const models = readWords(env, RUNNER_ENV.models, problems);
  const urls = readWords(env, RUNNER_ENV.baseUrls, problems);
  const names = [first, ...new Set(others)];
  const chain = names.map((name): ProviderChoice | undefined => {
    const of = (words: Words): string | null => words[name] ?? (name === first ? words[OWN] : undefined) ?? null;
    const command = (): readonly string[] => readStrings(env, RUNNER_ENV.command, problems);
    return choose(
      name,
      { model: of(models), baseUrl: of(urls), command, isMixed: names.includes('command') },
      problems,
    );
  });
  const [own, ...rest] = chain.filter((choice) => choice !== undefined);
  return own === undefined || problems.length > before ? undefined : [own, ...rest];
}

interface Given {
  readonly model: string | null;
  readonly baseUrl: string | null;
  readonly command: () => readonly string[];
  /** The command is that of another provider of the chain. */
  readonly isMixed: boolean;
}

function choose(name: string, given: Given, problems: string[]): ProviderChoice | undefined {
  const { model, baseUrl } = given;
  switch (name) {
    case 'echo':
      return { name };
    case 'command': {
      const command = readCommand(given, problems);
      return command === undefined ? undefined : { name, command };
    }
    case 'claude': {
      const command =
        given.isMixed || given.command().length === 0 ? (['claude'] as const) : readCommand(given, problems);
      return command === undefined ? undefined : { name, command, model };
    }
    default: {
      const http = HTTP_PROVIDERS.find((known) => known === name);
      if (http !== undefined) return { name: http, model, baseUrl };
      problems.push(`${RUNNER_ENV.provider} is ${quote(name)}: this runner has ${NAMES.join(', ')}`);
      return undefined;
    }
  }
}

function readCommand(given: Given, problems: string[]): readonly [string, ...string[]] | undefined {
  const [program, ...args] = given.command();
  if (program === undefined || program === '' || [program, ...args].some((word) => word.includes('\0'))) {
    problems.push(`${RUNNER_ENV.command} must be a JSON array of strings: the program and its arguments`);
    return undefined;
  }
  return [program, ...args];
}

function readStrings(env: Environment, name: string, problems: string[]): readonly string[] {
  const text = env[name] ?? '';
  if (text === '') return [];
  const value = parseJson(text);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  // A command that is no list is told of once, by whoever needs it.
  if (name !== RUNNER_ENV.command) problems.push(`${name} must be a JSON array of strings`);
  return [];
}

/** A JSON object of texts, or one text for the session's own provider. */
function readWords(env: Environment, name: string, problems: string[]): Words {
  const text = env[name] ?? '';
  if (!text.startsWith('{')) return text === '' ? {} : { [OWN]: text };
  const value = parseJson(text);
  const isWords =
    typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
  if (isWords) return value as Words;
  problems.push(`${name} must be a JSON object of strings`);
  return {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON: the caller says so.
    return undefined;
  }
}

function quote(value: string): string {
  return JSON.stringify(value.slice(0, 40));
}
