/** Names under which every runtime marks what it starts; the only home of these names. */
export const LABELS = {
  /** Install id: whose container it is. */
  install: 'nightporter.install',
  /** `group/session`. */
  session: 'nightporter.session',
  /** Incarnation, decimal. */
  epoch: 'nightporter.epoch',
  /** Spec hash. */
  spec: 'nightporter.spec',
} as const;

/** Install id, on probes of `doctor`: they carry none of the labels above, so that no runtime takes them for its own. */
export const PROBE_LABEL = 'nightporter.probe';
