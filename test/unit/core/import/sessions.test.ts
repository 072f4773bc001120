import { describe, expect, it } from 'vitest';
import type { ForeignGroup, ForeignSession } from '../../../../src/core/import/foreign.js';
import { nameSessions } from '../../../../src/core/import/sessions.js';
import type { KnownSessions } from '../../../../src/core/import/sessions.js';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const group = (id: string, more: Partial<ForeignGroup> = {}): ForeignGroup => ({
  ...{ id, name: `name of ${id}`, folder: id, provider: null, zone: null },
  ...more,
});
const session = (group: string, id: string, more: Partial<ForeignSession> = {}): ForeignSession => ({
  ...{ id, group, status: 'active', provider: null, title: null, thread: null, createdAt: null, isRunning: false },
  ...more,
});
const nameAll = (
  groups: readonly ForeignGroup[],
  rows: readonly ForeignSession[],
  known: ReadonlyMap<ForeignSession, string> = new Map(),
) => nameSessions(groups, rows, { zone: 'UTC', nowMs: NOW, known: known as KnownSessions });
const one = (groups: readonly ForeignGroup[], row: ForeignSession) => nameAll(groups, [row])[0];

describe('sessions that are imported', () => {
  it('have the folder of their group for its name, and are active, closed or what else there is closed', () => {
    expect(one([group('g', { folder: 'main' })], session('g', 's'))).toMatchObject({
      address: 'main/s',
      status: 'active',
      renamedFrom: null,
    });
    expect(one([group('g')], session('g', 's', { status: null }))?.status).toBe('active');
    expect(one([group('g')], session('g', 's', { status: 'archived' }))?.status).toBe('closed');
    expect(one([group('g', { folder: null })], session('g', 's'))?.address).toBe('g/s');
  });

  it('may be of a group without a row', () => {
    expect(one([], session('g h', 's'))).toMatchObject({
      address: expect.stringMatching(/^g-h-[0-9a-f]{16}\/s$/) as string,
      project: null,
      provider: null,
    });
  });

  it('have title, project, provider, and a time of creation that is not in the future', () => {
    const groups = [group('g', { provider: 'claude' })];
    const row = session('g', 's', { title: 'Chat', thread: '7', createdAt: '2026-01-01T00:00:00Z' });
    expect(one(groups, row)).toMatchObject({
      title: 'Chat 7',
      project: 'name of g',
      provider: 'claude',
      createdAtMs: Date.parse('2026-01-01T00:00:00Z'),
    });
    expect(one(groups, session('g', 's', { provider: 'codex', createdAt: '2027-01-01' }))).toMatchObject({
      provider: 'codex',
      createdAtMs: NOW,
      title: null,
    });
    expect(
      one(groups, session('g', 's', { provider: 'a b', createdAt: 'never', title: 't'.repeat(300) })),
    ).toMatchObject({ provider: null, createdAtMs: NOW, title: 't'.repeat(200) });
  });

  it('have the zone of their group where that is one', () => {
    expect(one([group('g', { zone: 'Europe/Paris' })], session('g', 's'))?.zone).toBe('Europe/Paris');
    expect(one([group('g', { zone: 'Europe/Atlantis' })], session('g', 's'))?.zone).toBe('UTC');
  });

  it('are in the order of their ids; all but the first of twins in case have other names', () => {
    const groups = [group('2', { folder: 'main' }), group('1', { folder: 'Main' })];
    const rows = [session('1', 'b'), session('2', 'a'), session('1', 'B')];
    const named = nameAll(groups, rows);
    expect(named.map(({ from }) => from.id)).toEqual(['B', 'b', 'a']);
    const [first, third, second] = named.map(({ address }) => address);
    expect(first).toBe('Main/B');
    expect(second).toMatch(/^main-[0-9a-f]{16}\/a$/);
    expect(third).toMatch(/^Main\/b-[0-9a-f]{16}$/);
    expect(named.map(({ renamedFrom }) => renamedFrom)).toEqual([null, 'Main/b', 'main/a']);
    expect(nameAll([...groups].reverse(), [...rows].reverse())).toEqual(named);
  });

  it('keep what they were brought as, and their groups the same, whatever they are called there by now', () => {
    const [old, fresh, other] = [session('1', 's'), session('1', 't'), session('2', 'u')];
    const groups = [group('1', { folder: 'renamed' }), group('2', { folder: 'main' })];
    const named = nameAll(groups, [old, fresh, other], new Map([[old, 'main/s']]));
    expect(named.map(({ address }) => address).slice(0, 2)).toEqual(['main/s', 'main/t']);
    expect(named.map(({ isKnown }) => isKnown)).toEqual([true, false, false]);
    expect(named.map(({ renamedFrom }) => renamedFrom)).toEqual(['renamed/s', 'renamed/t', 'main/u']);
    // The name is in use for another group.
    expect(named[2]?.address).toMatch(/^main-[0-9a-f]{16}\/u$/);
  });

  it('leave the names of what was brought to it: a twin that comes before has another one', () => {
    const rows = [session('1', 'S'), session('1', 's')];
    const [first, second] = nameAll([group('1')], rows, new Map([[rows[1] ?? session('1', 's'), '1/s']]));
    expect(first?.address).toMatch(/^1\/S-[0-9a-f]{16}$/);
    expect(second?.address).toBe('1/s');
  });
});
