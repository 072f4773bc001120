import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { runnerImageTag } from '../../src/runtime/docker/image.js';
import { packTar } from '../../src/runtime/docker/tar.js';
import type { TarFile } from '../../src/runtime/docker/tar.js';
import { BASE_IMAGE, PACKAGE_ROOT } from './docker-engine.js';
import { NANOCLAW_RUNNER, PYTHON_RUNNER } from './runners.js';

const REPOSITORY = 'nightporter-test-runner';

/** The stand-in for runners of NanoClaw v2, beside our own runner's packages. The runner image must be there. */
export async function nanoclawImage(docker: Docker): Promise<string> {
  const dockerfile = `FROM ${await runnerImageTag(PACKAGE_ROOT)}
COPY runner.mjs /app/runner.mjs
ENTRYPOINT ["node", "/app/runner.mjs"]
`;
  return build(docker, dockerfile, [{ path: 'runner.mjs', content: readFileSync(NANOCLAW_RUNNER) }]);
}

/** The example in Python, on this machine's interpreter, its standard library and what they link to. */
export async function pythonImage(docker: Docker): Promise<string> {
  if (!existsSync(PYTHON_RUNNER)) throw new Error(`${PYTHON_RUNNER} is missing`);
  const packed = spawnSync('python3', ['-c', PACK_PYTHON], { maxBuffer: 1024 * 1024 * 1024 });
  if (packed.status !== 0) throw new Error(`python3 cannot be packed: ${packed.stderr.toString('utf8')}`);
  const program = packed.stderr.toString('utf8').trim();
  const dockerfile = `FROM ${BASE_IMAGE}
ADD python.tar /
COPY runner.py /app/runner.py
ENTRYPOINT ["${program}", "/app/runner.py"]
`;
  return build(docker, dockerfile, [
    { path: 'python.tar', content: packed.stdout },
    { path: 'runner.py', content: readFileSync(PYTHON_RUNNER) },
  ]);
}

/** Prints a tar of what Python needs, and its program's path on stderr. Times are left out: the same files make the same tar. */
const PACK_PYTHON = `
import os, subprocess, sys, sysconfig, tarfile
program = os.path.realpath(sys.executable)
folder = sysconfig.get_paths()["stdlib"]
left_out = {"test", "tests", "site-packages", "dist-packages", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "__pycache__"}
files = {program}
for at, folders, names in os.walk(folder):
    folders[:] = sorted(name for name in folders if name not in left_out and not name.startswith("config-"))
    files.update(os.path.join(at, name) for name in names)
for linked in [name for name in files if name == program or name.endswith(".so")]:
    for line in subprocess.run(["ldd", linked], capture_output=True, text=True).stdout.splitlines():
        files.update(word for word in line.split() if word.startswith("/") and os.path.exists(word))
def plain(info):
    info.mtime = info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o755
    return info
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", dereference=True) as tar:
    for name in sorted(files):
        tar.add(name, filter=plain)
print(program, file=sys.stderr)
`;

async function build(docker: Docker, dockerfile: string, files: readonly TarFile[]): Promise<string> {
  const context = packTar([{ path: 'Dockerfile', content: Buffer.from(dockerfile) }, ...files]);
  const tag = `${REPOSITORY}:${createHash('sha256').update(context).digest('hex').slice(0, 16)}`;
  if (await isThere(docker, tag)) return tag;
  const progress = await docker.buildImage(Readable.from([context]), { t: tag });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error: Error | null, steps: readonly { readonly error?: string }[]) => {
      const failed = error?.message ?? steps.find((step) => step.error !== undefined)?.error;
      if (failed === undefined) resolve();
      else reject(new Error(`image ${tag} cannot be built: ${failed}`));
    });
  });
  return tag;
}

async function isThere(docker: Docker, tag: string): Promise<boolean> {
  try {
    await docker.getImage(tag).inspect();
    return true;
  } catch (error) {
    if ((error as { readonly statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}
