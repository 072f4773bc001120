/** Room for this many containers at once. */
export const ROOM = 6;
export const MAX_TRIES = 5;
export const GROUPS = { echo: 'echo', work: 'work' };

/**
 * An agent that does what its message says (`do-...`), misbehaving only in the first attempt where it says `-once`. Its
 * input is one line of JSON.
 */
const AGENT = `
read -r line
case "$line" in *"\\"attempt\\":0,"*) first=yes ;; *) first=no ;; esac
does() { case "$line" in *"do-$1"*) return 0 ;; esac; return 1; }
once() { [ $first = yes ] && does "$1-once"; }
if once die || does die-always; then kill -9 $PPID; sleep 30; fi
if once hang; then sleep 3600; fi
if once fail; then echo "it went wrong" >&2; exit 1; fi
if does poison; then echo "this will never do" >&2; exit 65; fi
if does print; then i=0; while [ $i -lt 400 ]; do echo "line $i of much output that nobody reads" >&2; i=$((i + 1)); done; fi
if does slow; then sleep 1.5; fi
echo "done in incarnation $NIGHTPORTER_EPOCH"
`;

/** What is asked of the agent, and how often. `always` ones must end as dead letters. */
export const ERRANDS = {
  plain: 130,
  print: 14,
  slow: 10,
  'fail-once': 12,
  'die-once': 8,
  'hang-once': 3,
  poison: 3,
  'die-always': 1,
};
export const DOOMED = { poison: 'fatal', 'die-always': 'tries_spent' };

/** Everything a daemon waits for, shortened, so that minutes hold what else takes days. JSON is YAML. */
export function configText(runtime) {
  const inContainers = runtime === 'docker' ? { RUNNER_BASE_IMAGE: 'nightporter-base:local' } : {};
  return JSON.stringify({
    SWEEP_INTERVAL_MS: 1_000,
    MAX_CONCURRENT_CONTAINERS: ROOM,
    GUARD_PROBE_MS: 2_000,
    LOCKED_STOP_MS: 4_000,
    BUSY_RETRY_MAX_MS: 1_000,
    RUNTIME_DEADLINE_MS: 10_000,
    DRAIN_TIMEOUT_MS: 20_000,
    ...inContainers,
    defaults: {
      STALE_THRESHOLD_MS: 5_000,
      CLAIM_STUCK_MS: 3_000,
      ABSOLUTE_CEILING_MS: 20_000,
      TURN_TIMEOUT_MS: 10_000,
      NOT_CLAIMING_MS: 10_000,
      IDLE_TIMEOUT_MS: 8_000,
      START_GRACE_MS: 4_000,
      STOP_GRACE_MS: 3_000,
      MAX_TRIES,
      BACKOFF_BASE_MS: 100,
      MEMORY_BYTES: 256 * 1024 * 1024,
      NETWORK: 'none',
    },
    groups: {
      [GROUPS.echo]: { PROVIDER: 'echo' },
      [GROUPS.work]: { PROVIDER: 'command', COMMAND: ['sh', '-c', AGENT] },
    },
  });
}
