import { attachmentsOf } from './attachments.js';

/** A content's text, and its value where it has one; its JSON, or itself, where it has none. */
export function plainText(content: string): { readonly text: string; readonly value: unknown } {
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === 'object' && value !== null && 'text' in value && typeof value.text === 'string') {
      return { text: value.text, value };
    }
  } catch {
    // Not JSON: the text itself.
  }
  return { text: content, value: undefined };
}

/** What a content says: its text and the names of what came with it. */
export function textOf(content: string): string {
  const { text, value } = plainText(content);
  const files = attachmentsOf(value).map(({ name, bytes }) => `[${name}, ${String(bytes)} bytes]`);
  return [...(text === '' && files.length > 0 ? [] : [text]), ...files].join('\n');
}
