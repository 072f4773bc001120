import { pino, destination } from 'pino';
import type { DestinationStream, LogFn, Logger } from 'pino';
import { plainJson } from '../protocol/plain-text.js';
import { Repeats } from './repeats.js';
import type { LineKey } from './repeats.js';

export type { Logger } from 'pino';

export type LogLevel = 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

const TELL_EVERY_MS = 60_000;
const INFO = pino.levels.values['info'] ?? 30;
const WARN = pino.levels.values['warn'] ?? 40;

export interface LogPlace {
  /** Default: stderr. */
  readonly sink?: DestinationStream;
  readonly monotonic?: () => number;
}

/**
 * The daemon's log: JSON lines on stderr, one child per component. Never contents, environment or secrets. Bounded:
 * repeats are left out and counted (`repeated`), those of debug and trace aside, which are only for a while. A level that
 * may change is a function, asked at every line: children of pino keep the level that they were made with.
 */
export function createLog(level: LogLevel | (() => LogLevel), place: LogPlace = {}): Logger {
  // Synchronous: what a crashing daemon said last must not be lost.
  const { sink = destination({ fd: 2, sync: true }), monotonic = () => performance.now() } = place;
  const leastNow = typeof level === 'function' ? () => severityOf(level()) : () => 0;
  const repeats = new Repeats();
  let isTelling = false;
  const log = pino(
    {
      level: typeof level === 'function' ? 'trace' : level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod(args, method, severity) {
          if (severity < leastNow()) return;
          if (severity < INFO || isTelling) {
            method.apply(this, args);
            return;
          }
          const decision = repeats.decide(keyOf(this, args, severity), monotonic());
          if (decision.kind === 'leave_out') return;
          method.apply(this, decision.repeated === 0 ? args : withCount(args, decision.repeated));
        },
      },
    },
    {
      write: (line) => {
        sink.write(plainJson(line));
      },
    },
  );
  if (level !== 'silent') {
    setInterval(() => {
      isTelling = true;
      for (const { level: name, component, message, repeated } of repeats.takeLeftOut(monotonic())) {
        log[name as 'warn'](component === '' ? { repeated } : { component, repeated }, message);
      }
      isTelling = false;
    }, TELL_EVERY_MS).unref();
  }
  return log;
}

function severityOf(level: LogLevel): number {
  return pino.levels.values[level] ?? Number.POSITIVE_INFINITY;
}

type LogArguments = Parameters<LogFn>;

function keyOf(log: Logger, args: LogArguments, severity: number): LineKey {
  const [first, second] = args as readonly unknown[];
  const fields = typeof first === 'object' && first !== null ? (first as Readonly<Record<string, unknown>>) : {};
  const { component } = log.bindings();
  return {
    level: pino.levels.labels[severity] ?? 'error',
    isTrouble: severity >= WARN,
    component: typeof component === 'string' ? component : '',
    message: typeof first === 'string' ? first : typeof second === 'string' ? second : '',
    subject: subjectOf(fields),
  };
}

/** What stays the same while a trouble does: whom it is of, and its words but for their numbers. */
function subjectOf(fields: Readonly<Record<string, unknown>>): string {
  const { session, notice, work, operation, lane, reason, detail, err } = fields;
  const words = [reason, detail, err instanceof Error ? err.message : undefined]
    .filter((one) => typeof one === 'string')
    .map((text) => text.slice(0, 500).replaceAll(/\d+/g, '#'));
  return JSON.stringify([session, notice, work, operation, lane, ...words]);
}

function withCount(args: LogArguments, repeated: number): LogArguments {
  const [first, ...rest] = args as readonly unknown[];
  const counted =
    typeof first === 'object' && first !== null ? [{ ...fieldsOf(first), repeated }, ...rest] : [{ repeated }, ...args];
  return counted as LogArguments;
}

function fieldsOf(first: object): object {
  return first instanceof Error ? { err: first } : first;
}
