/**
 * The longest turn of the event loop; where it took far more time than work, the machine was busy with others.
 * (`monitorEventLoopDelay` misses the first turn after a reset.)
 */
export function watchLoop() {
  const longest = { wallMs: 0, cpuMs: 0 };
  let last = performance.now();
  let cpu = process.cpuUsage();
  let isOn = true;
  const turn = () => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(cpu);
    longest.wallMs = Math.max(longest.wallMs, now - last);
    longest.cpuMs = Math.max(longest.cpuMs, (user + system) / 1_000);
    last = now;
    cpu = process.cpuUsage();
    if (isOn) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    stop() {
      isOn = false;
      return longest;
    },
  };
}

export function breathe() {
  return new Promise((resolve) => setImmediate(resolve));
}
