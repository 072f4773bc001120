// What containers run in the tests of runtimes: plain JavaScript, so that any Node starts it as it is.
// The program is named by NP_TEST_PROGRAM; see test/suites/runtime-conformance.ts for what each one does.
import { spawn } from 'node:child_process';

const forever = () => setInterval(() => undefined, 60_000);

const programs = {
  sleep() {
    process.on('SIGTERM', () => process.exit(0));
    forever();
    console.log('ready');
  },
  'ignore-term'() {
    process.on('SIGTERM', () => undefined);
    forever();
    console.log('ready');
  },
  'exit-0': () => process.exit(0),
  'exit-7': () => process.exit(7),
  crash: () => process.kill(process.pid, 'SIGKILL'),
  print() {
    console.log('to stdout');
    console.error('to stderr');
  },
  'print-binary': () => process.stdout.write(Buffer.from('before\xffafter\n', 'latin1')),
  'big-output': () => printMegabytes(1, () => console.log('the last line')),
  environment() {
    for (const [name, value] of Object.entries(process.env)) console.log(`${name}=${value}`);
    console.log('end of environment');
  },

  // Beyond the suite.
  'huge-output': () => printMegabytes(50, () => console.log('the last line')),
  /** A child in the same group and one that left it, both ignoring TERM; then exits. */
  'leave-children'() {
    const inGroup = spawn('sh', ['-c', "trap '' TERM; while :; do sleep 1; done"], { stdio: 'ignore' });
    const left = spawn('sh', ['-c', "trap '' TERM; while :; do sleep 1; done"], { stdio: 'inherit', detached: true });
    left.unref();
    process.on('SIGTERM', () => process.exit(3));
    forever();
    console.log(`children ${inGroup.pid} ${left.pid}`);
  },
  /** Prints, waits for the time given, prints again and exits with 5. */
  'slow-exit'() {
    console.log('ready');
    setTimeout(() => {
      console.log('done');
      process.exitCode = 5;
    }, Number(process.env.NP_TEST_DELAY_MS));
  },
};

function printMegabytes(megabytes, then) {
  const block = `${'0123456789abcdef'.repeat(7)}0123456789abcde\n`.repeat(8192);
  let left = megabytes;
  const more = () => {
    if (left === 0) return then();
    left -= 1;
    process.stdout.write(block, more);
  };
  more();
}

const program = programs[process.env.NP_TEST_PROGRAM];
if (program === undefined) throw new Error(`no such program: ${process.env.NP_TEST_PROGRAM}`);
program();
