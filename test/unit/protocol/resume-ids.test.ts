import fc from 'fast-check';
import { expect, it } from 'vitest';
import { idsIn } from '../../../src/protocol/resume-ids.js';

const ID = '0b6e3c1a-4d2f-4a7b-9c8d-112233445566';

it.each([
  ['bare', ID],
  ['bare, with what an editor left', ` ${ID}\n`],
  ['a JSON text', JSON.stringify(ID)],
  ['as our runner writes it', JSON.stringify({ id: ID, last_used_at: '2026-01-01T00:00:00.000Z' })],
  ['by another name', JSON.stringify({ session_id: ID })],
  ['deep inside', JSON.stringify({ sessions: [{ of: { id: ID } }] })],
  ['as a name', JSON.stringify({ [ID]: 1 })],
])('L23: an id is found: %s', (_, value) => {
  expect(idsIn(value)).toContain(ID);
});

it('L23: a value that goes very deep is read to its end', () => {
  expect(idsIn(`${'['.repeat(30_000)}"${ID}"${']'.repeat(30_000)}`)).toContain(ID);
});

it('L23: every text of a JSON value is an id, whatever its shape', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.uuid(), (shape, id) => {
      expect(idsIn(JSON.stringify({ shape, beside: [id] }))).toContain(id);
    }),
  );
});
