import { PROVIDER_SESSION } from '../stderr-reports.js';
import type { TurnReport } from '../provider.js';
import type { Usage } from '../usage.js';

type Fields = Readonly<Record<string, unknown>>;

/** The class of an answer that was longer than allowed. */
export const CUT_OFF = 'max_output_tokens';

/** The event that ends a run. */
export interface Result {
  readonly subtype: string;
  readonly isError: boolean;
  readonly text: string;
  readonly errors: readonly string[];
  /** Of newer versions; null: not told. */
  readonly terminalReason: string | null;
  readonly apiStatus: number | null;
}

/** What a run of `claude --output-format stream-json` told, event by event. */
export class Conversation {
  readonly #report: TurnReport;
  readonly #texts: string[] = [];
  /** By the message's id: an event of a message repeats what is known of it so far. */
  readonly #usages = new Map<string, Usage>();
  #resultUsage: Usage | undefined;
  /** The session under way: a new one may be issued in the middle. */
  sessionId: string | null = null;
  result: Result | undefined;
  /** The class that the newest message gives for a failed API call; null: it is an answer. */
  apiError: string | null = null;
  /** When a limit that was hit ends. */
  limitEndsAtMs: number | null = null;

  constructor(report: TurnReport) {
    this.#report = report;
  }

  take(event: Fields): void {
    const { session_id: session } = event;
    if (typeof session === 'string' && PROVIDER_SESSION.test(session)) this.sessionId = session;
    switch (event['type']) {
      case 'assistant':
        this.#assistant(event);
        return;
      case 'user':
        this.#report.tool(null, null);
        return;
      case 'rate_limit_event':
        this.#limit(fieldsOf(event['rate_limit_info']));
        return;
      case 'result':
        this.#end(event);
    }
  }

  /** What the agent said so far. */
  get said(): string {
    return this.#texts.join('\n\n');
  }

  /** The last thing that it said. */
  get lastText(): string {
    return this.#texts.at(-1) ?? '';
  }

  /** It ended in the middle of what it said. */
  get isCutOff(): boolean {
    return this.apiError === CUT_OFF && this.#texts.length > 0;
  }

  get usage(): Usage {
    if (this.#resultUsage !== undefined) return this.#resultUsage;
    const sum = (of: (usage: Usage) => number): number =>
      [...this.#usages.values()].reduce((total, usage) => total + of(usage), 0);
    return { inputTokens: sum((one) => one.inputTokens), outputTokens: sum((one) => one.outputTokens), costUsd: 0 };
  }

  #assistant(event: Fields): void {
    const message = fieldsOf(event['message']);
    const isSubagent = typeof event['parent_tool_use_id'] === 'string';
    if (typeof message['id'] === 'string') this.#usages.set(message['id'], usageOf(message['usage'], 0));
    if (!isSubagent) this.apiError = typeof event['error'] === 'string' ? event['error'] : null;
    for (const block of Array.isArray(message['content']) ? message['content'].map(fieldsOf) : []) {
      if (block['type'] === 'tool_use' && typeof block['name'] === 'string') {
        this.#report.tool(block['name'].slice(0, 200), timeoutOf(fieldsOf(block['input'])));
      }
      const { text } = block;
      const isSaid = block['type'] === 'text' && !isSubagent && this.apiError === null;
      if (isSaid && typeof text === 'string' && text.trim() !== '') this.#texts.push(text.trim());
    }
  }

  #limit(info: Fields): void {
    const { status, resetsAt } = info;
    if (status !== 'rejected') return;
    if (typeof resetsAt === 'number' && resetsAt > 0) this.limitEndsAtMs = resetsAt * 1000;
  }

  #end(event: Fields): void {
    const { subtype, result, errors, terminal_reason: reason, api_error_status: status } = event;
    this.#resultUsage = usageOf(event['usage'], event['total_cost_usd']);
    this.result = {
      subtype: typeof subtype === 'string' ? subtype : '',
      isError: event['is_error'] === true,
      text: typeof result === 'string' ? result : '',
      errors: Array.isArray(errors) ? errors.filter((error) => typeof error === 'string') : [],
      terminalReason: typeof reason === 'string' ? reason : null,
      apiStatus: typeof status === 'number' ? status : null,
    };
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** Tokens that were read from a cache or written to one are input too. */
function usageOf(usage: unknown, costUsd: unknown): Usage {
  const figures = fieldsOf(usage);
  const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
  const input = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'];
  return {
    inputTokens: input.reduce((sum, name) => sum + number(figures[name]), 0),
    outputTokens: number(figures['output_tokens']),
    costUsd: number(costUsd),
  };
}

/** Milliseconds, as its tools that take long are given them. */
function timeoutOf({ timeout }: Fields): number | null {
  return typeof timeout === 'number' && Number.isSafeInteger(timeout) && timeout > 0 ? timeout : null;
}
