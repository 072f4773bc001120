import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { RunnerSession, script } from '../../support/runner-session.js';

/** A file system of 512 KiB; undefined where one may not be mounted. */
function mountSmall(): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'np-small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', path], { stdio: 'ignore' });
    return path;
  } catch {
    // Not root, or in a container that may not.
    rmdirSync(path);
    return undefined;
  }
}

describe('a full disk under the runner', () => {
  it('F35 loses no answer: it is written when there is space again, without a restart', async ({ skip }) => {
    const small = mountSmall();
    if (small === undefined) return skip('no file system may be mounted here');
    const session = new RunnerSession(small);
    try {
      session.enqueue({ id: 'm' });
      const runner = session.start({
        command: script(
          `cat > /dev/null; head -c 1000000 /dev/zero > filler 2> /dev/null; head -c 60000 /dev/zero | tr '\\0' x`,
        ),
      });
      await eventually('it says so', () => runner.logged('outbound.db cannot be written, trying again').length > 0);
      const beat = session.heartbeatMs() ?? 0;
      await eventually('it beats', () => (session.heartbeatMs() ?? 0) > beat);
      rmSync(join(session.workspace, 'filler'));
      await session.untilAcked('completed', 'm');
      expect(session.replies()).toEqual([['m', 'x'.repeat(60_000)]]);
    } finally {
      await session.dispose();
      execFileSync('umount', [small]);
      rmdirSync(small);
    }
  });
});
