import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, SessionAddress } from '../../../src/protocol/address.js';
import type { Container, ContainerSpec } from '../../../src/ports/runtime.js';
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

  async function started(spec: ContainerSpec): Promise<Container> {
    const result = await runtime.start(spec);
    if (result.kind !== 'started') throw new Error(JSON.stringify(result));
    return result.container;
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

  it('F35: voids a start that no shim has taken yet, and frees its name', async () => {
    const spec = await specOf('sleep');
    const { id } = await started(spec);
    await runtime.stop(id, 0);
    for (const file of ['shim.json', 'runner.json', 'exit.json']) rmSync(join(spec.hostDir, 'run', id, file));
    expect(await runtime.inspect(spec.name)).toMatchObject({ state: 'created' });
    fillDisk(dataDir);
    await runtime.remove(id);
    expect(await runtime.inspect(spec.name)).toBeUndefined();
  });

  it('F35: stops, harvests and removes what was started before: none of it needs space', async () => {
    const spec = await specOf('sleep');
    const container = await started(spec);
    fillDisk(dataDir);
    expect(await runtime.stop(container.id, 0)).toEqual({ kind: 'gone' });
    await runtime.harvest(container);
    expect(await runtime.inspect(spec.name)).toBeUndefined();
  });
});
