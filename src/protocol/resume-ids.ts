/**
 * Every text in a value of `session_state` that may be a provider's session id: the value itself, or all texts of a JSON
 * value, `{"id": "...", "last_used_at": "..."}` among them. One too many keeps a file for longer, one too few would lose it.
 */
export function idsIn(value: string): readonly string[] {
  const ids = [value.trim()];
  const rest: unknown[] = [parseJson(value)];
  while (rest.length > 0) {
    const one = rest.pop();
    if (typeof one === 'string') ids.push(one);
    else if (typeof one === 'object' && one !== null) {
      for (const [name, inner] of Object.entries(one)) rest.push(name, inner);
    }
  }
  return ids;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A bare id, as older formats have it.
    return undefined;
  }
}
