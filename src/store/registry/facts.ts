import { RowReader } from './rows.js';
import type { Registry } from '../../ports/registry.js';
import type { Connection } from './connection.js';

type Facts = Pick<Registry, 'readFact' | 'writeFact'>;

export function facts(connection: Connection): Facts {
  const select = connection.prepare('SELECT value FROM facts WHERE key = ?');
  const upsert = connection.prepare(
    'INSERT INTO facts (key, value) VALUES (@key, @value) ON CONFLICT (key) DO UPDATE SET value = @value',
  );

  return {
    readFact: (key) =>
      connection.read(() => {
        const row = select.get(key);
        return row === undefined ? undefined : new RowReader('facts', row).text('value');
      }),
    writeFact: (key, value) => {
      connection.write(() => upsert.run({ key, value }));
    },
  };
}
