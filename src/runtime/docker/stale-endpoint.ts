import type { EngineAnswer } from './engine-errors.js';

const TAKEN = /endpoint with name (\S+) already exists in network (\S+)/;

/**
 * The network in which a container's name is still taken, although no container has it: an engine that was killed may
 * forget to give it up, and then starts no container of that name any more. Undefined: it said no for another reason.
 */
export function staleEndpointOf(name: string, answer: EngineAnswer): string | undefined {
  const [, endpoint, network] = TAKEN.exec(answer.message) ?? [];
  return endpoint === name ? network : undefined;
}
