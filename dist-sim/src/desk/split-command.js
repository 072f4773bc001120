import { parse } from 'shell-quote';
import { NightporterError } from '../protocol/errors.js';
/**
 * Splits `PROGRAM ARG...` like a shell would; what would need one is refused.
 * @throws NightporterError `usage`
 */
export function splitCommand(line) {
    const parts = parse(line, (name) => ({ variable: name }));
    const words = [];
    for (const part of parts) {
        if (typeof part !== 'string') {
            throw new NightporterError('usage', `--command is run without a shell, so ${describe(part)} would mean nothing: quote it, or name a script`);
        }
        words.push(part);
    }
    if (words[0] === undefined || words[0] === '') {
        throw new NightporterError('usage', '--command names no program: write --command "PROGRAM ARG..."');
    }
    return words;
}
function describe(part) {
    if ('variable' in part)
        return `the variable $${String(part.variable)}`;
    if ('pattern' in part)
        return `the pattern ${JSON.stringify(part.pattern)}`;
    if ('comment' in part)
        return 'a comment (#)';
    return 'op' in part ? `the operator ${JSON.stringify(part.op)}` : 'this';
}
//# sourceMappingURL=split-command.js.map