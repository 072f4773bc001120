/** What one call cost, in the provider's own figures. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** 0 where the provider names no price. */
  readonly costUsd: number;
}

/** What the calls of a turn cost together. */
export interface TurnUsage extends Usage {
  readonly calls: number;
}

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, costUsd: 0 };

/** One more call; undefined: of a provider that knows no figures. */
export function withCall(turn: TurnUsage | null, call: Usage | undefined): TurnUsage | null {
  if (call === undefined) return turn;
  return {
    calls: (turn?.calls ?? 0) + 1,
    inputTokens: (turn?.inputTokens ?? 0) + counted(call.inputTokens),
    outputTokens: (turn?.outputTokens ?? 0) + counted(call.outputTokens),
    costUsd: (turn?.costUsd ?? 0) + figure(call.costUsd),
  };
}

/** The kept value with one more turn; what is not as it should be counts as 0. */
export function withTurn(value: string | undefined, turn: TurnUsage): string {
  const kept = parseFigures(value);
  return JSON.stringify({
    turns: counted(kept['turns']) + 1,
    calls: counted(kept['calls']) + turn.calls,
    input_tokens: counted(kept['input_tokens']) + turn.inputTokens,
    output_tokens: counted(kept['output_tokens']) + turn.outputTokens,
    cost_usd: rounded(figure(kept['cost_usd']) + turn.costUsd),
  });
}

function parseFigures(value: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(value ?? '{}');
    return typeof parsed === 'object' && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : {};
  } catch {
    // Somebody else's text.
    return {};
  }
}

function counted(value: unknown): number {
  return Math.floor(figure(value));
}

function figure(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
    ? Math.min(value, Number.MAX_SAFE_INTEGER)
    : 0;
}

/** A billionth of a dollar: sums of fractions do not grow tails of digits. */
function rounded(usd: number): number {
  return Math.round(usd * 1e9) / 1e9;
}
