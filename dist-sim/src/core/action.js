/** Kinds of action that change something; the rest only explains. */
export function isChange(action) {
    return action.kind !== 'wait';
}
//# sourceMappingURL=action.js.map