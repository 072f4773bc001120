import { RowReader } from './rows.js';
export function facts(connection) {
    const select = connection.prepare('SELECT value FROM facts WHERE key = ?');
    const upsert = connection.prepare('INSERT INTO facts (key, value) VALUES (@key, @value) ON CONFLICT (key) DO UPDATE SET value = @value');
    return {
        readFact: (key) => connection.read(() => {
            const row = select.get(key);
            return row === undefined ? undefined : new RowReader('facts', row).text('value');
        }),
        writeFact: (key, value) => {
            connection.write(() => upsert.run({ key, value }));
        },
    };
}
//# sourceMappingURL=facts.js.map