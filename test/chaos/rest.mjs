import { until } from './waiting.mjs';

const PAUSED_WITHIN_MS = 30_000;
const QUIET_WITHIN_MS = 300_000;
const SAME_WITHIN_MS = 5_000;
const DRAINED_WITHIN_MS = 60_000;
const GONE_WITHIN_MS = 15_000;
const EVERY_MS = 300;

/** With all faults off: everything that was accepted ends, state is what runs, and a drain leaves nothing. */
export async function comeToRest({ daemon, view, series, problems, beforeDrain }) {
  for (const one of series) await until(`${one.id} is paused`, PAUSED_WITHIN_MS, () => isPaused(daemon, one), EVERY_MS);
  await untilQuiet(daemon);
  await daemon.end('SIGKILL');
  await daemon.up();
  await untilSame(daemon, view);
  await untilQuiet(daemon);
  const { notices } = (await daemon.ask('GET', '/v1/status')).value;
  for (const { kind, text } of notices.filter((notice) => ['disk_full', 'runtime_down'].includes(notice.kind)))
    problems.add('a notice of what is over', `${kind}: ${text}`);
  await beforeDrain();
  await drain(daemon);
  await until('nothing is left of the containers', GONE_WITHIN_MS, async () => (await view.left()).length === 0).catch(
    async (error) => problems.add('left after the drain', `${error.message}: ${(await view.left()).join('; ')}`),
  );
}

async function isPaused(daemon, { session, id }) {
  const answer = await daemon.ask('POST', `/v1/sessions/${session}/schedule`, { series: id, change: 'pause' });
  return answer.ok && answer.value.paused;
}

async function untilQuiet(daemon) {
  let last;
  const isQuiet = async () => {
    const answer = await daemon.ask('GET', '/v1/status');
    if (!answer.ok) return false;
    last = answer.value;
    const { spooled, pending, processing } = last.messages;
    return spooled + pending + processing === 0;
  };
  await until('nothing is spooled, pending or processing', QUIET_WITHIN_MS, isQuiet, EVERY_MS).catch((error) => {
    throw new Error(`${error.message}; the last status: ${JSON.stringify(last)}`);
  });
}

/** F22: what a daemon says runs is what runs. Asked between two equal lists; an end may just be on its way to it. */
async function untilSame(daemon, view) {
  let seen = 'nothing could be compared';
  const isSame = async () => {
    const before = await view.running();
    const answer = await daemon.ask('GET', '/v1/status');
    const after = await view.running();
    if (!answer.ok || before === undefined || after === undefined || idsOf(before) !== idsOf(after)) return false;
    const said = answer.value.containers.running;
    seen = `${String(said)} by its word, ${String(after.length)} run`;
    return said === after.length;
  };
  await until('a daemon says what runs', SAME_WITHIN_MS, isSame).catch((error) => {
    throw new Error(`${error.message} (${seen})`);
  });
}

function idsOf(running) {
  return running
    .map(({ id }) => id)
    .sort()
    .join(' ');
}

async function drain(daemon) {
  const answer = daemon.ask('POST', '/v1/drain', {});
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error('the daemon did not end after a drain')), DRAINED_WITHIN_MS).unref();
  });
  const code = await Promise.race([daemon.ended(), late]);
  const { ok, message } = await answer;
  if (code !== 0) throw new Error(`the drained daemon ended with ${String(code)} (${ok ? 'drained' : message})`);
}
