/**
 * Makes a method of a port reject or throw as long as `error` answers something: a fault of the machine at that very
 * call. Counts the calls.
 */
export function broken<T extends object>(
  port: T,
  method: keyof T & string,
  error: (...args: readonly unknown[]) => Error | undefined,
): { calls: number } {
  const whole = port[method] as (...args: readonly unknown[]) => unknown;
  const seen = { calls: 0 };
  Object.assign(port, {
    [method]: (...args: readonly unknown[]): unknown => {
      seen.calls += 1;
      const found = error(...args);
      if (found !== undefined) throw found;
      return whole.apply(port, [...args]);
    },
  });
  return seen;
}
