import type { ProbeReport, RuntimeExaminer } from '../../ports/examination.js';
import type { InstallId } from '../../ports/runtime.js';
import type { NewMessage } from '../../ports/session-files.js';
import type { MessageId } from '../../protocol/address.js';
import { NightporterError } from '../../protocol/errors.js';
import { troubleOf } from '../read-files.js';
import type { DoctorWorld, Kind } from './world.js';
import { inOwnFolder } from './writing.js';

/**
 * A session of the doctor's own, with one message in it, and one run of its container. The registry knows nothing of it,
 * and nothing is left. `answered`: whether its agent's answer is in its files; null: there is no runner yet.
 */
export function runProbe(
  world: DoctorWorld,
  examiner: RuntimeExaminer,
  kind: Kind,
  install: InstallId,
): Promise<{ readonly report: ProbeReport; readonly answered: boolean | null }> {
  return inOwnFolder(world.dataDir, async (folder) => {
    const { files, spec } = await world.openProbe(kind, install, folder);
    const { session } = spec;
    try {
      const made = await files.create(session);
      if (made.kind !== 'ok') throw troubleOf(session, made);
      const sent = await files.deliver(session, [message(world.clock.now())]);
      if (sent.kind !== 'ok') throw troubleOf(session, sent);
      const report = await examiner.probe(spec);
      if (!report.ranRunner || report.exitCode !== 0) return { report, answered: null };
      const found = await files.replies(session, 0, 1);
      if (found.kind === 'hostile') throw new NightporterError('failed', `${found.file}: ${found.detail}`);
      return { report, answered: found.kind === 'ok' && found.rows.length > 0 };
    } finally {
      await files.close();
    }
  });
}

function message(nowMs: number): NewMessage {
  return {
    id: 'probe' as MessageId,
    kind: 'chat',
    timestampMs: nowMs,
    processAfterMs: null,
    trigger: true,
    onWake: false,
    content: JSON.stringify({ text: 'probe' }),
    recurrence: null,
    seriesId: null,
    timezone: null,
    occurrenceMs: null,
    missed: null,
  };
}
