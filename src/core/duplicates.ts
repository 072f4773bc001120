/** An answer, as far as it can be told whether it was given before. In the order in which they were written. */
export interface GivenAnswer {
  readonly id: string;
  readonly inReplyTo: string;
  /** null: the runner wrote what is no time. */
  readonly timestampMs: number | null;
  /** Equal for equal contents. */
  readonly digest: string;
}

/**
 * Answers that an earlier attempt at the same message gave already, word for word (L25). Two equal ones of one attempt are
 * what the agent wanted to say; so an attempt must be known to have ended in between. `endsOf`: when those of a message did.
 */
export function findDuplicates(
  answers: readonly GivenAnswer[],
  endsOf: (message: string) => readonly number[],
): ReadonlySet<string> {
  const first = new Map<string, number>();
  const duplicates = new Set<string>();
  for (const { id, inReplyTo, timestampMs, digest } of answers) {
    if (timestampMs === null) continue;
    const key = JSON.stringify([inReplyTo, digest]);
    const earlierMs = first.get(key);
    if (earlierMs === undefined) first.set(key, timestampMs);
    else if (earlierMs < timestampMs && endsOf(inReplyTo).some((endMs) => isBetween(earlierMs, endMs, timestampMs))) {
      duplicates.add(id);
    }
  }
  return duplicates;
}

/** Foreign runners write whole seconds: what was written in one may have been written at its end. */
function isBetween(earlierMs: number, endMs: number, laterMs: number): boolean {
  return earlierMs <= endMs && endMs < (laterMs % 1_000 === 0 ? laterMs + 1_000 : laterMs);
}
