import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { MAIN, ask, outsideEnvironment } from './api.mjs';
import { identify } from './processes.mjs';
import { pause, until } from './waiting.mjs';

const SERVES_WITHIN_MS = 90_000;
const AGAIN_MS = 500;
const TAIL_LINES = 30;
const ERROR_LEVELS = ['error', 'fatal'];

/** The daemon as its users run it, and a service manager that starts it again when it ends. */
export class Daemon {
  /** Counts of what it logged at level error, by message. */
  errors = new Map();
  /** How often it told the operator, by kind. */
  notices = new Map();
  /** Ends that nobody asked for: `{ atMs, code, signal, served, tail }`. */
  unasked = [];
  starts = 0;
  #args;
  #env;
  #dataDir;
  #log;
  #run;
  #isWanted = false;

  constructor({ dataDir, configFile, runtime, env, logFile }) {
    this.#dataDir = dataDir;
    this.#args = ['start', '--data-dir', dataDir, '--config', configFile, '--runtime', runtime];
    this.#env = outsideEnvironment(env);
    this.#log = createWriteStream(logFile);
  }

  /** A number of its own for every run of it; undefined: it does not serve. */
  get serving() {
    return this.#run?.serves === true ? this.starts : undefined;
  }

  get process() {
    return this.#run === undefined ? undefined : identify(this.#run.child.pid);
  }

  /** Has it running from now on; resolves when it serves. */
  async up() {
    this.#isWanted = true;
    this.#launch();
    await until('the daemon serves', SERVES_WITHIN_MS, () => this.#run?.serves === true);
  }

  /** Resolves with its exit code. It stays down until `up`. */
  async end(signal) {
    this.#isWanted = false;
    const run = this.#run;
    if (run === undefined) return undefined;
    run.isAsked = true;
    run.child.kill(signal);
    return run.ended;
  }

  /** Its own end, which somebody asked for. */
  async ended() {
    this.#isWanted = false;
    if (this.#run === undefined) return undefined;
    this.#run.isAsked = true;
    return this.#run.ended;
  }

  ask(method, path, body) {
    return ask(this.#dataDir, method, path, body === undefined ? undefined : JSON.stringify(body));
  }

  #launch() {
    if (this.#run !== undefined || !this.#isWanted) return;
    this.starts += 1;
    const child = spawn(process.execPath, [MAIN, ...this.#args], {
      env: this.#env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const run = { child, serves: false, isAsked: false, tail: [] };
    this.#run = run;
    let rest = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#log.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.#read(run, line);
    });
    run.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#run = undefined;
        this.#note(run, code, signal);
        resolve(code);
      });
    });
  }

  #note(run, code, signal) {
    if (run.isAsked) return;
    this.unasked.push({ atMs: Date.now(), code, signal, served: run.serves, tail: run.tail });
    void pause(AGAIN_MS).then(() => this.#launch());
  }

  #read(run, line) {
    run.tail = [...run.tail, line].slice(-TAIL_LINES);
    const entry = parse(line);
    if (entry === undefined) return;
    if (entry.msg === 'ready') run.serves = true;
    if (entry.msg === 'notice') count(this.notices, entry.notice);
    if (!ERROR_LEVELS.includes(entry.level)) return;
    const what = `${entry.msg}: ${entry.err?.message ?? entry.reason ?? ''}`.replace(/np-\S+|\d+/g, '#').slice(0, 300);
    count(this.errors, what);
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function count(counts, name) {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
