import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, SessionAddress } from '../../../src/protocol/address.js';
import type { ContainerSpec } from '../../../src/ports/runtime.js';
import type { ProcessRuntime } from '../../../src/runtime/process/process-runtime.js';
import { ProcessHarness } from '../../support/process-harness.js';
import { canMount, fillDisk, smallDisk } from '../../support/small-disk.js';

// A file system of its own takes root.
describe.skipIf(!canMount())('process runtime on a full disk', () => {
  let harness: ProcessHarness;
  let runtime: ProcessRuntime;
  let dataDir: string;

  beforeEach(() => {
    harness = new ProcessHarness();
    dataDir = smallDisk(4);
    runtime = harness.open({ dataDir });
  });
  afterEach(async () => {
    for (const container of await runtime.list()) await runtime.remove(container.id);
    await harness.cleanup();
  });

  async function specOf(program: string): Promise<ContainerSpec> {
    const spec = await harness.specFor({ session: 'full/one' as SessionAddress, epoch: 1 as Epoch, program });
    const hostDir = join(dataDir, 'host');
    mkdirSync(hostDir);
    return { ...spec, hostDir };
  }

  it('F35: leaves nothing of a start that did not fit, and starts when there is space', async () => {
    const spec = await specOf('sleep');
    mkdirSync(join(dataDir, 'run'));
    const free = fillDisk(dataDir);
    await expect(runtime.start(spec)).rejects.toThrow(/ENOSPC/);
    expect(readdirSync(join(dataDir, 'run'))).toEqual([]);
    free();
    expect((await runtime.start(spec)).kind).toBe('started');
  });

  it('F35: stops, harvests and removes what was started before: none of it needs space', async () => {
    const spec = await specOf('sleep');
    const result = await runtime.start(spec);
    if (result.kind !== 'started') throw new Error(JSON.stringify(result));
    fillDisk(dataDir);
    expect(await runtime.stop(result.container.id, 0)).toEqual({ kind: 'gone' });
    await runtime.harvest(result.container);
    expect(await runtime.inspect(spec.name)).toBeUndefined();
  });
});
