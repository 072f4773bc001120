import { describe, expect, it } from 'vitest';
import { describeSettings } from '../../../src/config/reference.js';
import { specSource } from '../../../src/daemon/spec-source.js';
import { epochOf, splitAddress } from '../../../src/protocol/address.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import type { SessionRecord } from '../../../src/ports/registry.js';
import type { InstallId } from '../../../src/ports/runtime.js';
import { containerSpec } from '../../../src/rounds/container-spec.js';
import { problemsOf, settingsFrom } from './settings.js';

const RECORD = {
  ...splitAddress('demo/first' as SessionAddress),
  provider: null,
  command: null,
  image: null,
} as SessionRecord;

describe('what a container is told of its providers', () => {
  const specOf = (file: string, environment: Readonly<Record<string, string>> = {}) => {
    const install = { install: '0123456789abcdef' as InstallId };
    const settings = settingsFrom({ file });
    const source = {
      dataDir: '/data',
      settings: () => settings,
      registry: install,
      runtime: 'docker',
      environment,
    } as const;
    return containerSpec(specSource({ ...source, runnerVersion: '1' }), RECORD, epochOf(1));
  };

  it('is one model and place for its own provider, and the chain', () => {
    const { environment } = specOf('MODEL: m-1\nBASE_URL: http://127.0.0.1:1/v1\nFALLBACK_PROVIDERS: gemini, openai\n');
    expect(environment).toMatchObject({
      NIGHTPORTER_MODEL: '{"*":"m-1"}',
      NIGHTPORTER_BASE_URL: '{"*":"http://127.0.0.1:1/v1"}',
      NIGHTPORTER_FALLBACK_PROVIDERS: '["gemini","openai"]',
      NIGHTPORTER_CALL_DEADLINE_MS: '120000',
      NIGHTPORTER_HISTORY_MAX_MESSAGES: '50',
      NIGHTPORTER_HISTORY_MAX_BYTES: '262144',
    });
  });

  it('is nothing that is not set', () => {
    expect(Object.keys(specOf('').environment)).not.toContain('NIGHTPORTER_MODEL');
    expect(Object.keys(specOf('').environment)).not.toContain('NIGHTPORTER_FALLBACK_PROVIDERS');
  });

  it.each([
    ['a mapping', 'MODEL: { openai: a, gemini: b }'],
    ['text', 'MODEL: openai=a, gemini=b'],
  ])('is a model for each, given as %s', (_how, file) => {
    expect(specOf(file).environment['NIGHTPORTER_MODEL']).toBe('{"openai":"a","gemini":"b"}');
  });

  it.each([
    'MODEL: x',
    'BASE_URL: http://h/v1',
    'FALLBACK_PROVIDERS: [openai]',
    'CALL_DEADLINE_MS: 3s',
    'HISTORY_MAX_MESSAGES: 3',
  ])('makes another container of one with %s', (file) => {
    expect(specOf(file).specHash).not.toBe(specOf('').specHash);
  });

  it.each([
    ['MODEL: [a]', 'MODEL must be the name of a model'],
    ['MODEL: { openai: 5 }', 'MODEL must be the name of a model'],
    ['BASE_URL: ftp://h', 'BASE_URL must be a URL'],
    ['BASE_URL: http://user:word@h/', 'BASE_URL must be a URL'],
    ['FALLBACK_PROVIDERS: [openai, 5]', 'FALLBACK_PROVIDERS must be a list of names'],
    ['FALLBACK_PROVIDERS: "a b"', 'FALLBACK_PROVIDERS must be a list of names'],
    ['CALL_DEADLINE_MS: 1h', 'CALL_DEADLINE_MS must be a duration'],
    ['ENVIRONMENT: { KEY: { file: key.txt } }', 'ENVIRONMENT must be'],
    ['ENVIRONMENT: { KEY: { file: /k, mode: 1 } }', 'ENVIRONMENT must be'],
  ])('is refused: %s', (file, expected) => {
    expect(problemsOf({ file }).join('\n')).toContain(expected);
  });

  it('F40 is of the environment what is listed and nothing else of the daemon', () => {
    const daemon = { ANTHROPIC_API_KEY: 'k', AWS_SECRET: 's', TZ: 'UTC' };
    const { environment } = specOf('ENVIRONMENT: { ANTHROPIC_API_KEY: , TZ: Asia/Tokyo, MISSING: }', daemon);
    const own = Object.entries(environment).filter(([name]) => !name.startsWith('NIGHTPORTER_'));
    expect(Object.fromEntries(own)).toEqual({ ANTHROPIC_API_KEY: 'k', TZ: 'Asia/Tokyo' });
  });

  it('F40 is of a key in a file its path alone, which config shows', () => {
    const file = 'ENVIRONMENT: { KEY: { file: /run/key }, OTHER: sekret }';
    const spec = specOf(file);
    expect(spec.environment).not.toHaveProperty('KEY');
    expect(spec.secretFiles).toEqual({ KEY: '/run/key' });
    expect(spec.specHash).not.toBe(specOf('ENVIRONMENT: { OTHER: sekret }').specHash);
    const shown = describeSettings(settingsFrom({ file })).find(({ name }) => name === 'ENVIRONMENT');
    expect(shown?.value).toEqual({ KEY: { file: '/run/key' }, OTHER: '***' });
  });
});
