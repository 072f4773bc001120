/** What of a log line decides whether it says anything new. */
export interface LineKey {
  readonly level: string;
  /** Warnings and errors repeat themselves; what is below tells of changes. */
  readonly isTrouble: boolean;
  readonly component: string;
  readonly message: string;
  /** Which session, which error: the same text for the same trouble. */
  readonly subject: string;
}

/** `repeated`: lines of the same component and message that were left out since the last one that was written. */
export type LineDecision = { readonly kind: 'write'; readonly repeated: number } | { readonly kind: 'leave_out' };

export interface LeftOut {
  readonly level: string;
  readonly component: string;
  readonly message: string;
  readonly repeated: number;
}

interface Message {
  readonly level: string;
  readonly component: string;
  readonly message: string;
  /** Lines that may be written at once; refilled with time. */
  tokens: number;
  refilledAtMs: number;
  writtenAtMs: number;
  leftOut: number;
}

interface Trouble {
  writtenAtMs: number;
  seenAtMs: number;
  pauseMs: number;
}

const FIRST_PAUSE_MS = 60_000;
const LAST_PAUSE_MS = 60 * 60_000;
const TROUBLES_MAX = 2_000;
/** Whatever the sessions are, a message has room for this many lines at once, and then for one in that time. */
const TROUBLE_BUDGET = { burst: 50, everyMs: 10_000 };
const CHANGE_BUDGET = { burst: 1_000, everyMs: 500 };
/** What was left out is told after this long at the latest. */
const TELL_AFTER_MS = 10 * 60_000;

/**
 * Bounds a log (F31). The same trouble is written at once, then after 1, 2, 4 .. 60 minutes; and each message has a budget
 * over all sessions, so that 10,000 failing ones are about a line in 10 s. Nothing is left out uncounted. Times are
 * monotonic milliseconds.
 */
export class Repeats {
  readonly #messages = new Map<string, Message>();
  readonly #troubles = new Map<string, Trouble>();

  decide(line: LineKey, nowMs: number): LineDecision {
    const message = this.#messageOf(line, nowMs);
    const isNews = !line.isTrouble || this.#isNews(line, nowMs);
    if (!isNews || !takeToken(message, line.isTrouble ? TROUBLE_BUDGET : CHANGE_BUDGET, nowMs)) {
      message.leftOut += 1;
      return { kind: 'leave_out' };
    }
    if (line.isTrouble) this.#written(line, nowMs);
    const { leftOut } = message;
    message.leftOut = 0;
    message.writtenAtMs = nowMs;
    return { kind: 'write', repeated: leftOut };
  }

  /** What was left out and not told for long; told with this. */
  takeLeftOut(nowMs: number): readonly LeftOut[] {
    return [...this.#messages.values()].flatMap((one) => {
      if (one.leftOut === 0 || nowMs - one.writtenAtMs < TELL_AFTER_MS) return [];
      const { level, component, message, leftOut } = one;
      one.leftOut = 0;
      one.writtenAtMs = nowMs;
      return [{ level, component, message, repeated: leftOut }];
    });
  }

  /** Constant texts: there are as many as there are calls of the log in the code. */
  #messageOf({ level, isTrouble, component, message }: LineKey, nowMs: number): Message {
    const key = JSON.stringify([level, component, message]);
    const known = this.#messages.get(key);
    if (known !== undefined) return known;
    const tokens = (isTrouble ? TROUBLE_BUDGET : CHANGE_BUDGET).burst;
    const fresh = { level, component, message, tokens, refilledAtMs: nowMs, writtenAtMs: nowMs, leftOut: 0 };
    this.#messages.set(key, fresh);
    return fresh;
  }

  #isNews(line: LineKey, nowMs: number): boolean {
    const trouble = this.#troubles.get(troubleKey(line));
    if (trouble === undefined) return true;
    // Gone for so long that it has come back.
    if (nowMs - trouble.seenAtMs > 2 * trouble.pauseMs) trouble.pauseMs = 0;
    trouble.seenAtMs = nowMs;
    return nowMs - trouble.writtenAtMs >= trouble.pauseMs;
  }

  #written(line: LineKey, nowMs: number): void {
    const key = troubleKey(line);
    const before = this.#troubles.get(key)?.pauseMs ?? 0;
    // Last again: the one that was written longest ago is forgotten first.
    this.#troubles.delete(key);
    const pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, before * 2), LAST_PAUSE_MS);
    this.#troubles.set(key, { writtenAtMs: nowMs, seenAtMs: nowMs, pauseMs });
    const [oldest] = this.#troubles.keys();
    if (this.#troubles.size > TROUBLES_MAX && oldest !== undefined) this.#troubles.delete(oldest);
  }
}

function troubleKey({ level, component, message, subject }: LineKey): string {
  return JSON.stringify([level, component, message, subject]);
}

function takeToken(message: Message, budget: { readonly burst: number; readonly everyMs: number }, nowMs: number) {
  const gained = Math.floor((nowMs - message.refilledAtMs) / budget.everyMs);
  if (gained > 0) {
    message.tokens = Math.min(budget.burst, message.tokens + gained);
    message.refilledAtMs += gained * budget.everyMs;
  }
  if (message.tokens === 0) return false;
  message.tokens -= 1;
  return true;
}
