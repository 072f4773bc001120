import { attachmentsOf } from './attachments.js';

/** What a content says: its text and what came with it; its JSON, or itself, where it has none. */
export function textOf(content: string): string {
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === 'object' && value !== null && 'text' in value && typeof value.text === 'string') {
      const files = attachmentsOf(value).map(({ name, bytes }) => `[${name}, ${String(bytes)} bytes]`);
      return [...(value.text === '' && files.length > 0 ? [] : [value.text]), ...files].join('\n');
    }
  } catch {
    // Not JSON: the text itself.
  }
  return content;
}
