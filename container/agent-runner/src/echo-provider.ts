import { attachmentsOf } from './attachments.js';
import type { Provider } from './provider.js';

/** Answers every triggering message with its own text (its JSON where it has none), and names what came with it. */
export function createEchoProvider(maxClaims: number): Provider {
  return {
    name: 'echo',
    claimsPerTurn: maxClaims,
    resumes: false,
    run: (turn) =>
      Promise.resolve({
        kind: 'completed',
        answers: turn.messages
          .filter((message) => message.trigger)
          .map((message) => ({ to: message, text: textOf(message.content) })),
        providerSession: null,
      }),
  };
}

function textOf(content: string): string {
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === 'object' && value !== null && 'text' in value && typeof value.text === 'string') {
      const files = attachmentsOf(value).map(({ name, bytes }) => `[${name}, ${String(bytes)} bytes]`);
      return [...(value.text === '' && files.length > 0 ? [] : [value.text]), ...files].join('\n');
    }
  } catch {
    // Not JSON: the text itself is echoed.
  }
  return content;
}
