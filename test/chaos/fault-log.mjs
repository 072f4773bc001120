/** What was broken when, so that the audit can tell what explains what. Session null: it hit all of them. */
export class FaultLog {
  #faults = [];

  /** `end` when it is over, `drop` when it did not come about. */
  begin(kind, session = null) {
    const fault = { kind, session, fromMs: Date.now(), untilMs: null };
    this.#faults.push(fault);
    return {
      end: () => (fault.untilMs = Date.now()),
      drop: () => this.#faults.splice(this.#faults.indexOf(fault), 1),
    };
  }

  /** Whether something that hit this session (or all) was under way between the two times, or ended `tailMs` before. */
  overlaps(session, fromMs, untilMs, tailMs) {
    return this.#faults.some(
      (fault) =>
        (fault.session === null || fault.session === session) &&
        fault.fromMs <= untilMs &&
        (fault.untilMs ?? Infinity) + tailMs >= fromMs,
    );
  }

  wasUnderWay(kind, atMs, tailMs) {
    return this.#faults.some(
      (fault) => fault.kind === kind && fault.fromMs <= atMs && (fault.untilMs ?? Infinity) + tailMs >= atMs,
    );
  }

  /** `09:58:04.123 3.2 s container paused demo/a` */
  timeline() {
    return this.#faults.map(({ kind, session, fromMs, untilMs }) => {
      const seconds = (((untilMs ?? fromMs) - fromMs) / 1000).toFixed(1);
      return `${new Date(fromMs).toISOString().slice(11, 23)} ${seconds} s ${kind} ${session ?? ''}`.trimEnd();
    });
  }

  counts() {
    const counts = {};
    for (const { kind } of this.#faults) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }
}
