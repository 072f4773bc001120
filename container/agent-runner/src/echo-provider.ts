import { textOf } from './message-text.js';
import type { Provider } from './provider.js';

/** Answers every triggering message with its own text (its JSON where it has none), and names what came with it. */
export function createEchoProvider(maxClaims: number): Provider {
  return {
    name: 'echo',
    claimsPerTurn: maxClaims,
    resumes: 'none',
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
