import { NightporterError } from '../protocol/errors.js';
import type { AttachmentChunk } from '../ports/session-files.js';
import type { SessionAddress } from '../protocol/address.js';
import type { Desk } from './desk.js';
import { quoted } from './input-texts.js';
import { troubleOf, whileBusy } from './read-files.js';
import { requireSession, requireTrusted } from './require-session.js';
import type { AttachmentView } from './views.js';

type Part = Extract<AttachmentChunk, { readonly found: true }>;

/**
 * A file that an answer came with, read a part at a time in a file worker.
 * @throws NightporterError `usage`, `not_found`, `refused` (quarantined, no plain file, changed), `failed`
 */
export async function readAttachment(
  desk: Desk,
  session: string,
  reply: string,
  name: string,
): Promise<AttachmentView> {
  const record = requireSession(desk, session);
  requireTrusted(record);
  const first = await readPart(desk, record.address, reply, name, 0, null);
  return { bytes: first.size, chunks: parts(desk, record.address, reply, name, first) };
}

async function* parts(
  desk: Desk,
  session: SessionAddress,
  reply: string,
  name: string,
  first: Part,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  let part = first;
  while (part.data.byteLength > 0) {
    yield part.data;
    offset += part.data.byteLength;
    if (offset >= first.size) return;
    part = await readPart(desk, session, reply, name, offset, first.identity);
  }
}

async function readPart(
  desk: Desk,
  session: SessionAddress,
  reply: string,
  name: string,
  offset: number,
  identity: string | null,
): Promise<Part> {
  const part = { reply, name, offset, identity };
  const outcome = await whileBusy(desk, () => desk.files.readAttachment(session, part));
  if (outcome.kind !== 'ok') throw troubleOf(session, outcome);
  if (outcome.found) return outcome;
  throw new NightporterError(
    'refused',
    `the attachment ${quoted(name)} of answer ${quoted(reply)} of ${session} is not handed out: it ${outcome.why}`,
  );
}
