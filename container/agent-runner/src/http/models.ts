import type { LanguageModel } from 'ai';
import type { HttpProviderName } from '../provider-choice.js';

/** What a call needs of its provider's package; only that one is loaded. */
export interface ModelOrder {
  readonly name: HttpProviderName;
  readonly model: string;
  readonly baseUrl: string | null;
  /** '': none is needed. */
  readonly key: string;
  readonly fetch: typeof globalThis.fetch;
}

export async function openModel({ name, model, baseUrl, key, fetch }: ModelOrder): Promise<LanguageModel> {
  const options = { fetch, apiKey: key, ...(baseUrl === null ? {} : { baseURL: baseUrl }) };
  switch (name) {
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return createAnthropic(options)(model);
    }
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai');
      // Not the responses API: that one keeps what was said.
      return createOpenAI(options).chat(model);
    }
    case 'openrouter': {
      const { createOpenRouter } = await import('@openrouter/ai-sdk-provider');
      return createOpenRouter({ ...options, compatibility: 'strict' }).chat(model, { usage: { include: true } });
    }
    case 'gemini': {
      const { createGoogleGenerativeAI } = await import('@ai-sdk/google');
      return createGoogleGenerativeAI(options)(model);
    }
    case 'openai-compatible': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      const given = key === '' ? {} : { apiKey: key };
      return createOpenAICompatible({ name, fetch, baseURL: baseUrl ?? '', includeUsage: true, ...given })(model);
    }
  }
}
