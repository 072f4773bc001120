/** What a check found. What is not ok always comes with what to do. */
export type Finding =
  | { readonly state: 'ok'; readonly detail: string }
  | { readonly state: 'warning' | 'problem'; readonly detail: string; readonly remedy: string };

export function ok(detail: string): Finding {
  return { state: 'ok', detail };
}

export function warning(detail: string, remedy: string): Finding {
  return { state: 'warning', detail, remedy };
}

export function problem(detail: string, remedy: string): Finding {
  return { state: 'problem', detail, remedy };
}

/** Several findings of one check as one: what is wrong where something is, else all of it. */
export function together(findings: readonly Finding[]): Finding {
  const wrong = findings.filter((finding) => finding.state !== 'ok');
  if (wrong.length === 0) return ok(findings.map(({ detail }) => detail).join('; '));
  return {
    state: wrong.some(({ state }) => state === 'problem') ? 'problem' : 'warning',
    detail: wrong.map(({ detail }) => detail).join('; '),
    remedy: [...new Set(wrong.map(({ remedy }) => remedy))].join('; '),
  };
}

/** `1 session`, `3 sessions`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const SHOWN = 5;

/** `a, b, c and 7 more`. */
export function listed(names: readonly string[], count = names.length): string {
  const shown = names.slice(0, SHOWN);
  const rest = count - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}
