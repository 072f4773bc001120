import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { ProbeOrder } from './probe-script.js';

// Runs in a probe's container, as text: imports nothing but Node's own modules.
const order = JSON.parse(process.argv.at(-1) ?? '{}') as ProbeOrder;
const { inDir, outDir, file, token, user } = order;
const tried: { readonly what: string; readonly held: boolean; readonly detail: string }[] = [];

attempt(`reads ${inDir}`, () => {
  if (readFileSync(`${inDir}/${file}`, 'utf8') !== token) throw new Error('it is another folder of the host');
});
attempt(`writes and reads ${outDir}`, () => {
  writeFileSync(`${outDir}/${file}`, token);
  if (readFileSync(`${outDir}/${file}`, 'utf8') !== token) throw new Error('it reads otherwise than written');
});
attempt(`cannot write to ${inDir}`, () => {
  refused(() => {
    writeFileSync(`${inDir}/${file}-2`, '');
  });
  refused(() => {
    appendFileSync(`${inDir}/${file}`, '-');
  });
});
attempt('cannot write to its root', () => {
  refused(() => {
    writeFileSync(`/${file}`, '');
  });
});
attempt('writes to /tmp', () => {
  writeFileSync(`/tmp/${file}`, token);
});
attempt(`runs as ${String(user.uid)}:${String(user.gid)}`, () => {
  const found = `${String(process.getuid?.())}:${String(process.getgid?.())}`;
  if (found !== `${String(user.uid)}:${String(user.gid)}`) throw new Error(`it runs as ${found}`);
});
attempt('has no capabilities', () => {
  if (!/^0+$/.test(status('CapEff'))) throw new Error(`it has ${status('CapEff')}`);
});
attempt('cannot gain privileges', () => {
  if (status('NoNewPrivs') !== '1') throw new Error('it may');
});
process.stdout.write(`\n${order.line}${JSON.stringify(tried)}\n`);

const [program, ...args] = order.program;
if (program !== undefined) {
  const end = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (end.error !== undefined) process.stdout.write(`${end.error.message}\n`);
  process.exitCode = end.status ?? 1;
}

function attempt(what: string, work: () => void): void {
  try {
    work();
    tried.push({ what, held: true, detail: '' });
  } catch (error) {
    tried.push({ what, held: false, detail: error instanceof Error ? error.message : String(error) });
  }
}

function refused(work: () => void): void {
  try {
    work();
  } catch {
    return;
  }
  throw new Error('it can');
}

function status(name: string): string {
  return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 'unknown';
}
