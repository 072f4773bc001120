import { writeFileSync } from 'node:fs';
import type { Answer, Call, Fault } from './messages.js';

type Operation = (...params: never[]) => unknown;

/** The life of a child process that its parent calls: works as it is told, one call at a time, and leaves with its parent. */
export function serve(operations: Readonly<Record<string, Operation>>): void {
  process.umask(0o022);
  volunteerForOutOfMemory();
  process.on('disconnect', () => process.exit(0));
  // The host decides when it is over: work in hand at a terminal's Ctrl-C or a service's stop is finished.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('message', (call: Call) => {
    answer(operations, call);
  });
  send({ kind: 'ready' });
}

function answer(operations: Readonly<Record<string, Operation>>, call: Call): void {
  const { id } = call;
  try {
    const operation = operations[call.method];
    if (operation === undefined) throw new Error(`no such operation: ${call.method}`);
    send({ kind: 'result', id, value: operation(...(call.params as never[])) });
  } catch (error) {
    send({ kind: 'fault', id, fault: faultOf(error) });
  }
}

function send(message: Answer): void {
  // A parent that is gone is told of by `disconnect`.
  process.send?.(message, undefined, undefined, () => undefined);
}

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { message: String(error), code: undefined, path: undefined };
  const textOf = (name: 'code' | 'path'): string | undefined => {
    const value: unknown = name in error ? (error as Error & Record<string, unknown>)[name] : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return { message: error.message, code: textOf('code'), path: textOf('path') };
}

/** When memory runs out it is this process, not the host, that the kernel ends. */
function volunteerForOutOfMemory(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // No such thing on this system.
  }
}
