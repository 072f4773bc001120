import { describe, expect, it } from 'vitest';

/** The audit is a program of test/chaos: plain JavaScript, as it is run. */
interface Audit {
  readonly auditMessages: (...args: readonly unknown[]) => Readonly<Record<string, unknown>>;
  readonly auditOrder: (...args: readonly unknown[]) => number;
  readonly auditSchedules: (...args: readonly unknown[]) => Readonly<Record<string, number>>;
  readonly auditRegistry: (...args: readonly unknown[]) => void;
}

const load = async (name: string): Promise<unknown> => import(new URL(`../../chaos/${name}.mjs`, import.meta.url).href);
const { auditMessages, auditOrder, auditSchedules, auditRegistry } = {
  ...((await load('audit/messages')) as Pick<Audit, 'auditMessages' | 'auditOrder'>),
  ...((await load('audit/schedules')) as Pick<Audit, 'auditSchedules'>),
  ...((await load('audit/registry')) as Pick<Audit, 'auditRegistry'>),
};

class Found {
  readonly kinds: string[] = [];
  add(kind: string): void {
    this.kinds.push(kind);
  }
}

const SESSION = 'work/one';
const AT = '2026-01-01T00:00:30.000Z';
const calm = { overlaps: () => false };
const stormy = { overlaps: () => true };

function sent(id: string, over: object = {}) {
  return { session: SESSION, id, text: id, errand: 'plain', lane: 'lane0', ...over };
}

function row(id: string, seq: number, over: object = {}) {
  const content = JSON.stringify({ text: id });
  return { id, seq, content, status: 'completed', tries: 0, attempt: 0, error: null, error_class: null, ...over };
}

function answer(id: string, timestamp = AT) {
  return { in_reply_to: id, timestamp };
}

function ledgerOf(...messages: readonly { readonly id: string }[]) {
  const entries = messages.map((message) => [`${SESSION} ${message.id}`, message] as const);
  return { sent: new Map(entries), accepted: new Map(entries) };
}

function look(messages: readonly unknown[], answers: readonly unknown[], acks: readonly unknown[] = []) {
  return [{ session: SESSION, messages, answers, acks }];
}

describe('the audit of chaos, of messages', () => {
  const dead = { status: 'failed', error: 'x', error_class: 'tries_spent', tries: 5 };
  const cases: readonly [string, ReturnType<typeof look>, readonly string[]][] = [
    ['nothing where all is well', look([row('a', 2)], [answer('a')]), []],
    ['a message that is not there', look([], []), ['lost']],
    ['one that has not ended', look([row('a', 2, { status: 'pending' })], []), ['not ended']],
    ['one without an answer', look([row('a', 2)], []), ['completed without an answer']],
    ['other content', look([row('a', 2, { content: '{}' })], [answer('a')]), ['other content than was sent']],
    ['one that nobody sent', look([row('a', 2), row('b', 4)], [answer('a')]), ['never sent']],
    ['an answer to nothing', look([row('a', 2)], [answer('a'), answer('z')]), ['an answer to no message']],
    ['too many tries', look([row('a', 2, { tries: 6 })], [answer('a')]), ['more tries than allowed']],
    ['nothing about a dead letter whose tries are spent', look([row('a', 2, dead)], []), []],
    [
      'one that is dead too early',
      look([row('a', 2, { ...dead, tries: 4 })], []),
      ['a dead letter for no good reason'],
    ],
    ['one without an error', look([row('a', 2, { ...dead, error: null })], []), ['a dead letter without an error']],
    ['one that was answered', look([row('a', 2, dead)], [answer('a')]), ['answered, and a dead letter']],
  ];
  it.each(cases)('finds %s', (_what, sessions, expected) => {
    const found = new Found();
    auditMessages(sessions, ledgerOf(sent('a')), calm, found);
    expect(found.kinds).toEqual(expected);
  });

  it('explains a second answer by another attempt and a fault, not by one of them', () => {
    const twice = [answer('a'), answer('a', '2026-01-01T00:00:40.000Z')];
    const counts = (attempt: number, log: object) =>
      auditMessages(look([row('a', 2, { attempt })], twice), ledgerOf(sent('a')), log, new Found());
    expect(counts(1, stormy)).toMatchObject({ explained: 1, unexplained: 0 });
    expect(counts(0, stormy)).toMatchObject({ explained: 0, unexplained: 1 });
    expect(counts(1, calm)).toMatchObject({ explained: 0, unexplained: 1 });
  });

  it('finds what is out of order, but for what was tried again or sent for later', () => {
    const order = (messages: readonly unknown[], answers: readonly unknown[], first: object = {}) => {
      const found = new Found();
      auditOrder(look(messages, answers), ledgerOf(sent('a', first), sent('b')), found);
      return found.kinds;
    };
    const swapped = [answer('b'), answer('a')];
    expect(order([row('a', 2), row('b', 4)], [answer('a'), answer('b')])).toEqual([]);
    expect(order([row('a', 4), row('b', 2)], [answer('a'), answer('b')])).toEqual(['out of order in the file']);
    expect(order([row('a', 2), row('b', 4)], swapped)).toEqual(['answered out of order']);
    expect(order([row('a', 2, { attempt: 1 }), row('b', 4)], swapped)).toEqual([]);
    expect(order([row('a', 4), row('b', 2)], swapped, { after: AT })).toEqual([]);
  });
});

describe('the audit of chaos, of schedules', () => {
  const minute = (n: number, over: object = {}) => ({
    id: `s@${String(n)}`,
    series_id: 's',
    recurrence: null,
    status: 'completed',
    occurrence: new Date(n * 60_000).toISOString(),
    finished_at: new Date(n * 60_000 + 2_000).toISOString(),
    ...over,
  });
  const live = (n: number) => minute(n, { recurrence: '* * * * *', status: 'paused', finished_at: null });
  const audit = (rows: readonly unknown[], log: object = calm) => {
    const found = new Found();
    const counts = auditSchedules(look(rows, []), ledgerOf(sent('s', { errand: 'schedule' })), log, found);
    return { kinds: found.kinds, missed: counts['missed'] };
  };

  it('finds a minute twice, one too early, one that is missing, and a series that ended', () => {
    expect(audit([minute(1), minute(2), live(3)])).toEqual({ kinds: [], missed: 0 });
    expect(audit([minute(1), minute(1), live(2)]).kinds).toEqual(['a minute twice']);
    expect(audit([minute(1, { finished_at: new Date(59_000).toISOString() }), live(2)]).kinds).toEqual([
      'an occurrence before its time',
    ]);
    expect(audit([minute(1), minute(3), live(4)])).toEqual({ kinds: ['a missing minute'], missed: 1 });
    expect(audit([minute(1)]).kinds).toEqual(['a series without exactly one live row']);
    expect(audit([live(1), live(2)]).kinds).toEqual(['a series without exactly one live row']);
  });

  it('takes a missing minute for made up for where the one before was not done, or something was broken', () => {
    const late = { finished_at: new Date(2 * 60_000 + 30_000).toISOString() };
    expect(audit([minute(1, late), minute(3), live(4)])).toEqual({ kinds: [], missed: 1 });
    expect(audit([minute(1), minute(3), live(4)], stormy)).toEqual({ kinds: [], missed: 1 });
  });
});

describe('the audit of chaos, of the registry', () => {
  const counts = { pending: 0, processing: 0, completed: 1, failed: 0, paused: 0, spooled: 0 };
  const registry = (over: object = {}, session: object = {}) => ({
    sessions: [{ address: SESSION, quarantined_at: null, ...counts, ...session }],
    totals: { ...counts, ...session },
    spool: [],
    turnEnds: [],
    incarnations: [],
    ...over,
  });
  const end = { session: SESSION, id: 'a', epoch: 1, reason: 'unfinished_turn' };
  const claim = [{ message_id: 'a', status: 'processing' }];
  const cases: readonly [string, object, readonly unknown[], readonly string[]][] = [
    ['nothing where it says what the files say', registry(), [], []],
    ['another count', registry({}, { completed: 2 }), [], ['the registry counts otherwise']],
    ['wrong totals', registry({ totals: { ...counts, completed: 3 } }), [], ['the totals are wrong']],
    ['what is left in the spool', registry({ spool: [{}] }), [], ['left in the spool']],
    ['a claim that is left', registry(), claim, ['a claim was left']],
    ['a quarantine', registry({}, { quarantined_at: 1 }), [], ['quarantined']],
    [
      'an incarnation without an end',
      registry({ incarnations: [{ stopped_at: null }] }),
      [],
      ['an incarnation that did not end'],
    ],
    [
      'a folder of no session',
      registry({ sessions: [], totals: { ...counts, completed: 0 } }),
      [],
      ['a folder without a row'],
    ],
    [
      'a try that was counted twice',
      registry({ turnEnds: [end, { ...end, attempt: 1 }] }),
      [],
      ['a turn counted twice'],
    ],
  ];
  it.each(cases)('finds %s', (_what, rows, acks, expected) => {
    const found = new Found();
    auditRegistry(rows, look([row('a', 2)], [answer('a')], acks), found);
    expect(found.kinds).toEqual(expected);
  });
});
