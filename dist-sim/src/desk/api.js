export const SESSION_CHANGES = ['pin', 'unpin', 'suspend', 'resume', 'close', 'reopen', 'delete', 'release'];
export const SCHEDULE_CHANGES = ['pause', 'resume', 'run-now', 'set', 'cancel'];
//# sourceMappingURL=api.js.map