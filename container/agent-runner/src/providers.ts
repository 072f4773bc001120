import type { Log } from './log.js';
import { createEchoProvider } from './echo-provider.js';
import type { Provider } from './provider.js';
import type { ProviderChoice } from './provider-choice.js';
import type { Settings } from './settings.js';

/** The session's provider, then those that stand in for it. */
export async function createProviders(settings: Settings, log: Log): Promise<readonly [Provider, ...Provider[]]> {
  const [first, ...rest] = settings.providers;
  const others: Provider[] = [];
  for (const choice of rest) others.push(await createProvider(choice, settings, log));
  return [await createProvider(first, settings, log), ...others];
}

/** Loaded only when it is needed: every wake waits for the runner's start. */
async function createProvider(choice: ProviderChoice, settings: Settings, log: Log): Promise<Provider> {
  switch (choice.name) {
    case 'echo':
      return createEchoProvider(settings.maxClaims);
    case 'command': {
      const { createCommandProvider } = await import('./command-provider.js');
      return createCommandProvider({ ...settings, command: choice.command, log });
    }
    case 'claude': {
      const { createClaudeProvider } = await import('./claude/claude-provider.js');
      return createClaudeProvider({ ...settings, command: choice.command, model: choice.model, log });
    }
    default: {
      const { createHttpProvider } = await import('./http/http-provider.js');
      return createHttpProvider({ ...settings, ...choice, env: process.env });
    }
  }
}
