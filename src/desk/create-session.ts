import type { SessionAddress } from '../protocol/address.js';
import { NightporterError } from '../protocol/errors.js';
import { finishRemovalAlone } from './finish-removal.js';
import type { CreateSessionInput } from './api.js';
import type { Desk } from './desk.js';
import { quoted, requireAddress, requireName } from './input-texts.js';
import { troubleOf } from './read-files.js';
import { explainCaseTwin } from './send-message.js';
import { splitCommand } from './split-command.js';
import type { CreatedView } from './views.js';

const IMAGE = /^[a-z0-9][a-zA-Z0-9._/:@-]{0,254}$/;

/**
 * Makes row, folder and both files. The files come first: what fails in between is finished by asking again.
 * @throws NightporterError `usage`, `refused` (exists, case twin), `failed`
 */
export async function createSession(desk: Desk, input: CreateSessionInput): Promise<CreatedView> {
  const { address } = requireAddress(input.session);
  const command = input.command === undefined ? null : splitCommand(input.command);
  const provider = readProvider(input, command);
  const image = input.image ?? null;
  if (image !== null && !IMAGE.test(image)) {
    throw new NightporterError(
      'usage',
      `${quoted(image)} is no name of an image: write one like registry.example/agent:1.2`,
    );
  }
  requireFree(desk, address);

  const left = await finishRemovalAlone(desk, address);
  if (left !== undefined) {
    throw new NightporterError(
      'failed',
      `the folder of the deleted session ${address} is not gone yet (${left}): try again in a moment, or take another name`,
    );
  }
  const outcome = await desk.files.create(address);
  if (outcome.kind !== 'ok') throw troubleOf(address, outcome);
  requireFree(desk, address);
  const made = desk.registry.createSession({
    address,
    createdAtMs: desk.clock.now(),
    provider,
    image,
    command,
  });
  if (made === 'exists') throw alreadyExists(address);
  desk.log.info({ session: address }, 'session created');
  return { session: address, provider, command, image };
}

function readProvider(input: CreateSessionInput, command: readonly string[] | null): string | null {
  if (input.provider === undefined) return command === null ? null : 'command';
  const provider = requireName(input.provider, 'provider');
  if (command !== null && provider !== 'command') {
    throw new NightporterError(
      'usage',
      `--command belongs to the provider "command", not to ${quoted(provider)}: drop one`,
    );
  }
  return provider;
}

function requireFree(desk: Desk, address: SessionAddress): void {
  const twin = desk.registry.findCaseTwin(address);
  if (twin !== undefined) throw new NightporterError('refused', explainCaseTwin(address, twin));
  if (desk.registry.findSession(address) !== undefined) throw alreadyExists(address);
}

function alreadyExists(address: SessionAddress): NightporterError {
  return new NightporterError('refused', `session ${address} exists: see "nightporter session show ${address}"`);
}
