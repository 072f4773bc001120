/** A pass on behalf of a hint: nobody collects its actions. */
export const HINT_PASS = {
    kind: 'hint',
    stalenessWaits: 'between_rounds',
    record: () => undefined,
    error: () => undefined,
};
//# sourceMappingURL=porter.js.map