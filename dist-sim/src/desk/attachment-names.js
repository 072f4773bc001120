import { attachmentNameProblem } from '../protocol/attachments.js';
import { NightporterError } from '../protocol/errors.js';
import { quoted } from './input-texts.js';
/** @throws NightporterError `usage` */
export function requireAttachmentName(name) {
    const problem = attachmentNameProblem(name);
    if (problem === undefined)
        return;
    throw new NightporterError('usage', `${quoted(name)} is no name for an attachment (${problem}): rename the file`);
}
//# sourceMappingURL=attachment-names.js.map