import { writeFileSync } from 'node:fs';
import { auditAll } from './audit/audit.mjs';
import { viewOf } from './containers.mjs';
import { Daemon } from './daemon.mjs';
import { Engine } from './engine.mjs';
import { FaultLog } from './fault-log.mjs';
import { Faults } from './faults.mjs';
import { Ground } from './ground.mjs';
import { Ledger } from './ledger.mjs';
import { Load } from './load.mjs';
import { Problems } from './problems.mjs';
import { reportFile } from './report.mjs';
import { configText, GROUPS } from './settings.mjs';
import { comeToRest } from './rest.mjs';
import { pauseUnless, until } from './waiting.mjs';
import { Watch } from './watch.mjs';

const FIRST_ANSWER_WITHIN_MS = 120_000;
const ALL_SEEN_WITHIN_MS = 120_000;
const CONFIRMED_WITHIN_MS = 60_000;
const SERIES = 4;

/** One run: load and faults for the time given, then rest, then the audit. Resolves with the report; leaves nothing behind. */
export async function runChaos(options, say) {
  const run = new Run(options, say);
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    await run.begin();
    await run.loadAndBreak(interrupted.signal);
    await run.rest();
  } catch (error) {
    run.problems.add('the run broke off', error.stack);
  }
  const report = run.report();
  await run.end(report);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  return report;
}

class Run {
  problems = new Problems();
  #options;
  #say;
  #ground = new Ground();
  #engine;
  #daemon;
  #view;
  #watch;
  #ledger;
  #log = new FaultLog();
  #recoveries = [];
  #sessions;
  #seconds = { faults: 0, quiet: 0 };

  constructor(options, say) {
    this.#options = options;
    this.#say = say;
    this.#ledger = new Ledger(this.#ground.ledgerFile);
    this.#sessions = Array.from({ length: options.sessions }, (_, index) => {
      return `${index % 2 === 0 ? GROUPS.echo : GROUPS.work}/s${String(index)}`;
    });
  }

  /** Until a first message was answered: images are made, the runtime is ready. */
  async begin() {
    const { runtime } = this.#options;
    const { dataDir, configFile } = this.#ground;
    writeFileSync(configFile, configText(runtime));
    if (runtime === 'docker') {
      this.#engine = new Engine(this.#ground.root);
      this.#say('starting an engine');
      await this.#engine.start();
      this.#engine.makeBaseImage();
    }
    const env = this.#engine === undefined ? {} : { DOCKER_HOST: `unix://${this.#engine.socket}` };
    const logFile = reportFile(runtime, 'log');
    this.#daemon = new Daemon({ dataDir, configFile, runtime, env, logFile });
    await this.#daemon.up();
    this.#view = viewOf(runtime, dataDir, this.#engine);
    this.#watch = new Watch(this.#view, this.problems);
    await this.#probe('the first one');
    await until('a first answer', FIRST_ANSWER_WITHIN_MS, () => this.#isAnswered());
    for (let index = 0; index < SERIES; index += 1) await this.#schedule(`${this.#sessions[index]}-clock`);
  }

  async loadAndBreak(interrupted) {
    const { minutes, seed } = this.#options;
    const shared = { problems: this.problems, seed, sessions: this.#sessions };
    const load = new Load({ ...shared, places: this.#ground, ledger: this.#ledger });
    const faults = new Faults({
      ...shared,
      daemon: this.#daemon,
      view: this.#view,
      ground: this.#ground,
      engine: this.#engine,
      probe: (text) => this.#probe(text),
      recoveries: this.#recoveries,
      log: this.#log,
    });
    const began = performance.now();
    this.#say('load and faults');
    this.#watch.start();
    load.start();
    faults.start();
    await pauseUnless(interrupted, minutes * 60_000);
    await until('all kinds of faults', ALL_SEEN_WITHIN_MS, () => interrupted.aborted || faults.hasSeenAll);
    await faults.stop();
    await load.stop(CONFIRMED_WITHIN_MS);
    this.#seconds.faults = secondsSince(began);
    if (interrupted.aborted) throw new Error('interrupted');
  }

  async rest() {
    const began = performance.now();
    this.#say('all faults are off: waiting until everything has ended');
    await comeToRest({
      daemon: this.#daemon,
      view: this.#view,
      series: this.#series,
      problems: this.problems,
      beforeDrain: () => this.#watch.stop(),
    });
    this.#seconds.quiet = secondsSince(began);
  }

  report() {
    const { runtime, seed, minutes } = this.#options;
    const audit = auditAll({ ground: this.#ground, daemon: this.#daemon, log: this.#log, problems: this.problems });
    return {
      ok: this.problems.count === 0,
      runtime,
      seed,
      minutes,
      seconds: this.#seconds,
      ...audit,
      repeats: this.#ledger.repeats,
      refusals: Object.fromEntries(this.#ledger.refusals),
      faults: this.#log.counts(),
      recoveries: this.#recoveries.length,
      mostAtOnce: this.#watch?.mostAtOnce ?? 0,
      samples: this.#watch?.samples ?? 0,
      kept: null,
      problems: this.problems.toJSON(),
      timeline: this.#log.timeline(),
    };
  }

  /** Ends and deletes everything; data dir and logs are kept where something was wrong. */
  async end(report) {
    this.#ledger.close();
    await this.#daemon?.end('SIGKILL');
    await this.#watch?.stop();
    await this.#view?.reap();
    const isKept = !report.ok || this.#options.keep;
    if (isKept) report.kept = this.#ground.keepCopy();
    await this.#engine?.close();
    await this.#ground.unmount();
    if (!isKept) this.#ground.remove();
  }

  #series = [];

  /** One small message for at once, through the socket; true: confirmed. */
  async #probe(text) {
    const message = {
      session: `${GROUPS.echo}/probe`,
      id: this.#ledger.newId('probe'),
      text,
      errand: 'plain',
      lane: 'probe',
    };
    return this.#send(message, {});
  }

  async #schedule(session) {
    const message = { session, id: this.#ledger.newId('clock'), text: 'tick', errand: 'schedule', lane: 'clock' };
    if (!(await this.#send(message, { cron: '* * * * *' }))) throw new Error(`no series in ${session}`);
    this.#series.push({ session, id: message.id });
  }

  async #send(message, more) {
    this.#ledger.sending([message]);
    const { session, id, text } = message;
    const answer = await this.#daemon.ask('POST', '/v1/messages', { session, id, text, ...more });
    if (answer.ok) this.#ledger.confirm([message]);
    else this.#ledger.refused(answer.code);
    return answer.ok;
  }

  async #isAnswered() {
    const status = await this.#daemon.ask('GET', '/v1/status');
    return status.ok && status.value.messages.completed > 0;
  }
}

function secondsSince(began) {
  return Math.round((performance.now() - began) / 100) / 10;
}
