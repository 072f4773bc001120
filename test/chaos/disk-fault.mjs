import { until } from './waiting.mjs';

const FULL_MS = [2_000, 5_000];
const TOP_UP_MS = 40;
/** A service that got its space back has to work again within this. */
const RECOVERED_WITHIN_MS = 15_000;
const LARGE_CHARS = 50_000;

/**
 * The disk is full to the last byte for some seconds. `isAlone`: nothing else befalls the daemon meanwhile, so the same
 * one has to accept messages again when there is space.
 */
export async function fillDisk(
  { ground, daemon, log, probe, problems, recoveries },
  chances,
  { isAlone, wait, isOver },
) {
  const run = daemon.serving;
  const fault = log.begin('disk full');
  const deadline = performance.now() + chances.between(...FULL_MS);
  ground.fill();
  const large = probe('x'.repeat(LARGE_CHARS));
  while (performance.now() < deadline && !isOver()) {
    ground.fill();
    await wait(TOP_UP_MS);
  }
  await large;
  ground.free();
  fault.end();
  if (!isAlone || run === undefined) return;
  await until('a daemon that had a full disk accepts messages again', RECOVERED_WITHIN_MS, () => probe('free again'));
  if (daemon.serving === run) recoveries.push(run);
  else problems.add('no recovery without a restart', 'the daemon was another one after the disk had been full');
}
