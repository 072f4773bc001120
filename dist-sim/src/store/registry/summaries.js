/** About a millisecond. */
const PAGE_ROWS = 250;
export function summaries(connection) {
    const select = connection
        .prepare(`SELECT s.address, s.status, s.pinned, g.held_since IS NOT NULL, s.quarantined_at IS NOT NULL, s.last_active_at
       FROM sessions s LEFT JOIN guards g ON g.session = s.address
       WHERE s.address > ? ORDER BY s.address LIMIT ${PAGE_ROWS}`)
        .raw();
    function* summaryPages() {
        let after = '';
        while (after !== undefined) {
            const last = after;
            // By pages: an open cursor would forbid every write on this connection.
            const page = connection.read(() => select.all(last));
            yield page.map(summaryOf);
            after = page.length < PAGE_ROWS ? undefined : page.at(-1)?.[0];
        }
    }
    return { summaryPages };
}
function summaryOf([address, status, pinned, held, quarantined, lastActiveMs]) {
    return {
        session: address,
        status: status,
        pinned: pinned === 1,
        held: held === 1,
        quarantined: quarantined === 1,
        lastActiveMs,
    };
}
//# sourceMappingURL=summaries.js.map