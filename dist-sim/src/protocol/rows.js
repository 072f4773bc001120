export const MESSAGE_STATUSES = ['pending', 'completed', 'failed', 'paused'];
export const ERROR_CLASSES = ['retryable', 'fatal', 'rate_limited', 'context_overflow', 'resume_invalid'];
/** What a series does about occurrences that were missed: one for all of them, none, or each (at most 24). */
export const MISSED_POLICIES = ['latest', 'skip', 'all'];
export function isErrorClass(text) {
    return ERROR_CLASSES.includes(text);
}
/** Whether an ack speaks of the message's present attempt; one without an attempt always does. */
export function isAckOfAttempt(message, ack) {
    return ack.attempt === null || ack.attempt === message.attempt;
}
//# sourceMappingURL=rows.js.map