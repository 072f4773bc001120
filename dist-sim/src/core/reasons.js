const HOST_REASONS = [
    'idle',
    'yielded',
    'recycled',
    'drained',
    'replaced',
    'suspended',
    'closed',
    'orphan',
    'engine_restart',
];
export function isHostReason(reason) {
    return HOST_REASONS.includes(reason);
}
//# sourceMappingURL=reasons.js.map