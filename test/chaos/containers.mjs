import Docker from 'dockerode';
import { MARKER_VARIABLE } from '../../dist/src/runtime/process/process-marker.js';
import { LABELS } from '../../dist/src/runtime/spec-labels.js';
import { installId } from '../../dist/src/store/install-id.js';
import { identify, isAlive, pids, readList, signal } from './processes.mjs';

const ENGINE_TIMEOUT_MS = 10_000;

/**
 * What runs for a data dir, asked behind the daemon's back. `running` tells the containers that were there for as long
 * as it took to ask: `{ id, session, epoch, pid, start }`; undefined where it cannot be told now.
 */
export function viewOf(runtime, dataDir, engine) {
  const install = installId(dataDir);
  return runtime === 'process' ? new ProcessesView(install) : new EngineView(install, engine.socket);
}

class ProcessesView {
  #install;

  constructor(install) {
    this.#install = install;
  }

  async running() {
    const eldest = new Map();
    for (const one of this.#marked()) {
      const known = eldest.get(one.id);
      if (known === undefined || Number(one.start) < Number(known.start)) eldest.set(one.id, one);
    }
    return [...eldest.values()].filter(isAlive);
  }

  /** True: it was hit. */
  async kill(one) {
    return signal(one, 'SIGKILL');
  }

  async pause(one) {
    return signal(one, 'SIGSTOP');
  }

  async resume(one) {
    return signal(one, 'SIGCONT');
  }

  /** The shim: parent of the runner. */
  async killParent(one) {
    const parent = identify(parentOf(one.pid));
    const isShim = parent !== undefined && readList(parent.pid, 'cmdline').some((word) => word.endsWith('/shim.js'));
    return isShim && isAlive(one) && signal(parent, 'SIGKILL');
  }

  /** Everything of this data dir, for people. */
  async left() {
    return this.#marked().map(({ pid, session, epoch }) => `process ${pid} of ${session}, incarnation ${epoch}`);
  }

  async reap() {
    for (const one of this.#marked()) signal(one, 'SIGKILL');
  }

  #marked() {
    return pids().flatMap((pid) => {
      const marker = readList(pid, 'environ').find((variable) => variable.startsWith(`${MARKER_VARIABLE}=`));
      const process = marker === undefined ? undefined : identify(pid);
      if (process === undefined) return [];
      const labels = JSON.parse(marker.slice(MARKER_VARIABLE.length + 1));
      if (labels[LABELS.install] !== this.#install) return [];
      const { [LABELS.session]: session, [LABELS.epoch]: epoch, 'nightporter.container': id } = labels;
      return [{ ...process, id, session, epoch: Number(epoch) }];
    });
  }
}

class EngineView {
  #install;
  #docker;

  constructor(install, socketPath) {
    this.#install = install;
    this.#docker = new Docker({ socketPath, timeout: ENGINE_TIMEOUT_MS });
  }

  async running() {
    try {
      return (await this.#list(false)).map(({ Id: id, Labels: labels }) => ({
        id,
        session: labels[LABELS.session],
        epoch: Number(labels[LABELS.epoch]),
      }));
    } catch {
      return undefined;
    }
  }

  kill({ id }) {
    return hit(this.#docker.getContainer(id).kill({ signal: 'SIGKILL' }));
  }

  pause({ id }) {
    return hit(this.#docker.getContainer(id).pause());
  }

  resume({ id }) {
    return hit(this.#docker.getContainer(id).unpause());
  }

  /** Its main process, behind the engine's back. */
  async killParent({ id }) {
    try {
      const { State: state } = await this.#docker.getContainer(id).inspect();
      const main = state.Running ? identify(state.Pid) : undefined;
      return main !== undefined && signal(main, 'SIGKILL');
    } catch {
      return false;
    }
  }

  async left() {
    const all = await this.#list(true);
    return all.map(({ Names: names, State: state }) => `container ${names.join(' ')}, ${state}`);
  }

  async reap() {
    for (const { Id: id } of await this.#list(true)) await hit(this.#docker.getContainer(id).remove({ force: true }));
  }

  #list(all) {
    return this.#docker.listContainers({ all, filters: { label: [`${LABELS.install}=${this.#install}`] } });
  }
}

/** Whether the engine did it: it may be down, or the container gone. */
async function hit(call) {
  try {
    await call;
    return true;
  } catch {
    return false;
  }
}

function parentOf(pid) {
  return Number(readList(pid, 'status')[0]?.match(/^PPid:\s*(\d+)/m)?.[1] ?? 0);
}
