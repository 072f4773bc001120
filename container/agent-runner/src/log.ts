import { writeSync } from 'node:fs';

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** One JSON line per event: info on stdout, errors on stderr. A log that cannot be written is dropped. */
export function createLog(fixed: LogFields): Log {
  const write = (fd: 1 | 2, level: string, message: string, fields: LogFields = {}): void => {
    const line = JSON.stringify({ time: new Date().toISOString(), level, msg: message, ...fixed, ...fields });
    try {
      writeSync(fd, `${line}\n`);
    } catch {
      // Nobody reads, or the disk is full: the work goes on.
    }
  };
  return {
    info: (message, fields) => {
      write(1, 'info', message, fields);
    },
    error: (message, fields) => {
      write(2, 'error', message, fields);
    },
  };
}
