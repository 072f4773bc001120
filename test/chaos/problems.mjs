const SHOWN_EACH = 20;

/** What must not have happened, by kind. */
export class Problems {
  #found = new Map();

  add(kind, what) {
    const all = this.#found.get(kind) ?? [];
    this.#found.set(kind, [...all, what]);
  }

  get count() {
    return [...this.#found.values()].reduce((sum, all) => sum + all.length, 0);
  }

  countOf(kind) {
    return this.#found.get(kind)?.length ?? 0;
  }

  toJSON() {
    return Object.fromEntries(
      [...this.#found].map(([kind, all]) => [kind, { count: all.length, first: all.slice(0, SHOWN_EACH) }]),
    );
  }
}
