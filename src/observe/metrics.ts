import { Counter, Registry as Metrics } from 'prom-client';
import type { Registry } from '../ports/registry.js';

export interface MetricsPage {
  readonly contentType: string;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

/** What monitoring reads. Taken from the registry at every scrape: it survives restarts and is no second count. */
export function createMetrics(registry: Pick<Registry, 'resumeFailures'>): MetricsPage {
  const metrics = new Metrics();
  new Counter({
    name: 'nightporter_session_resume_failures_total',
    help: 'Turns that began with a session id which the provider did not know any more.',
    labelNames: ['provider'],
    registers: [metrics],
    collect() {
      this.reset();
      for (const { provider, failures } of registry.resumeFailures()) this.inc({ provider }, failures);
    },
  });
  return { contentType: metrics.contentType, text: () => metrics.metrics() };
}
