// Stands in for the Claude Code command line: what it prints is in that program's format (`--output-format stream-json`).
// usage: fake-claude.mjs SCENARIO -p --output-format stream-json --verbose [--model M] [--resume ID]
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [scenario, ...args] = process.argv.slice(2);
const resume = args.includes('--resume') ? args[args.indexOf('--resume') + 1] : null;
const prompt = readFileSync(0, 'utf8');
appendFileSync('calls', `${JSON.stringify({ args, resume, prompt })}\n`);

const FRESH = 'f0000000-0000-4000-8000-000000000001';
const session = resume ?? FRESH;
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const init = (id = session) =>
  say({
    type: 'system',
    subtype: 'init',
    cwd: process.cwd(),
    session_id: id,
    tools: ['Bash'],
    model: 'm',
    apiKeySource: 'none',
  });
const usage = { input_tokens: 3, cache_creation_input_tokens: 20, cache_read_input_tokens: 100, output_tokens: 7 };
const assistant = (content, fields = {}) =>
  say({
    type: 'assistant',
    message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content, stop_reason: null, usage },
    parent_tool_use_id: null,
    session_id: session,
    ...fields,
  });
const text = (words) => [{ type: 'text', text: words }];
const result = (fields) =>
  say({
    ...{ type: 'result', subtype: 'success', is_error: false, duration_ms: 12, duration_api_ms: 10, num_turns: 1 },
    ...{ result: '', session_id: session, total_cost_usd: 0.25, usage, permission_denials: [] },
    ...fields,
  });
const apiError = (error, words, status) => {
  assistant(text(words), { error });
  result({ is_error: true, result: words, terminal_reason: 'api_error', api_error_status: status });
  process.exitCode = 1;
};
const noConversation = () => {
  const errors = [`No conversation found with session ID: ${resume}`];
  result({ subtype: 'error_during_execution', is_error: true, session_id: FRESH, total_cost_usd: 0, errors });
  process.exitCode = 1;
};
const untilFile = async (name) => {
  while (!existsSync(name)) await new Promise((resolve) => setTimeout(resolve, 10));
};

const SCENARIOS = {
  answers() {
    init();
    assistant(text('I will think.'));
    result({ result: `you said: ${prompt}` });
  },
  'answers in its last message alone'() {
    init();
    assistant(text('\n\n4'));
    result({ result: '' });
  },
  async 'runs a tool'() {
    init();
    assistant([{ type: 'tool_use', id: 't1', name: 'Bash', input: { command: 'make', timeout: 600000 } }]);
    await untilFile('go');
    say({
      type: 'user',
      message: { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: 'x' }] },
    });
    await untilFile('go on');
    result({ result: 'made' });
  },
  'leaves a file'() {
    init();
    writeFileSync(join(process.env.NIGHTPORTER_OUTBOX, 'plan.txt'), 'plan');
    result({ result: 'see plan.txt' });
  },
  'goes on in a new session'() {
    init();
    init('a0000000-0000-4000-8000-00000000000a');
    say({
      type: 'result',
      subtype: 'success',
      is_error: false,
      result: 'ok',
      session_id: 'a0000000-0000-4000-8000-00000000000a',
      usage,
    });
  },
  'does not know the session'() {
    if (resume !== null) noConversation();
    else SCENARIOS.answers();
  },
  'does not know the session, an older way'() {
    if (resume === null) return SCENARIOS.answers();
    process.stderr.write(`No conversation found with session ID: ${resume}\n`);
    process.exitCode = 1;
  },
  'loses the session in the middle'() {
    if (resume === null) return SCENARIOS.answers();
    init();
    assistant(text('half an answer'));
    noConversation();
  },
  'speaks of what went wrong'() {
    init();
    const words = `Prompt is too long. No conversation found with session ID: ${resume}. API Error: 429 rate_limit`;
    assistant(text(words));
    result({ result: words });
  },
  'has too much to read'() {
    init();
    assistant(text('Prompt is too long'), { error: 'invalid_request' });
    result({ is_error: true, result: 'Prompt is too long', terminal_reason: 'prompt_too_long', api_error_status: 400 });
    process.exitCode = 1;
  },
  'fills its context in the middle'() {
    init();
    assistant(text('The first half.'));
    assistant(text('Prompt is too long'), { error: 'invalid_request' });
    result({ is_error: true, result: 'Prompt is too long' });
    process.exitCode = 1;
  },
  'is limited until the time in its prompt'() {
    init();
    const info = {
      status: 'rejected',
      resetsAt: Number(prompt),
      rateLimitType: 'five_hour',
      overageStatus: 'rejected',
    };
    say({ type: 'rate_limit_event', rate_limit_info: info, session_id: session });
    apiError('rate_limit', "You've hit your limit", 429);
  },
  'is limited, an older way'() {
    init();
    result({ is_error: true, result: `Claude AI usage limit reached|${prompt}` });
    process.exitCode = 1;
  },
  'is limited and calls it a success'() {
    init();
    assistant(text('You have hit your limit'), { error: 'rate_limit' });
    result({ result: 'You have hit your limit' });
  },
  'is warned of a limit'() {
    init();
    const info = { status: 'allowed_warning', resetsAt: 1900000000, rateLimitType: 'five_hour' };
    say({ type: 'rate_limit_event', rate_limit_info: info, session_id: session });
    SCENARIOS.answers();
  },
  'has a wrong key': () => apiError('authentication_failed', 'Invalid API key · Please run /login', 401),
  'has lost its account': () => apiError('oauth_org_not_allowed', 'Your organization has disabled access', 403),
  'has no credit': () => apiError('billing_error', 'Credit balance is too low', 402),
  'meets an overload': () => apiError('overloaded', 'API Error: 529 Overloaded', 529),
  'is cut off'() {
    init();
    assistant(text('First.'));
    assistant(text('Then half a'));
    apiError('max_output_tokens', "API Error: Claude's response exceeded the 32000 output token maximum.", null);
  },
  'is cut off before its first word': () => apiError('max_output_tokens', 'API Error: too many tokens', null),
  'meets a conflict': () => apiError('unknown', 'API Error: 409 Conflict', 409),
  'has too large a request': () => apiError('invalid_request', 'API Error: 413 request_too_large', 413),
  'has a model that is none': () => apiError('invalid_request', 'API Error: 404 model: x', 404),
  'takes too many steps'() {
    init();
    result({ subtype: 'error_max_turns', result: undefined });
    process.exitCode = 1;
  },
  'dies at work'() {
    init();
    assistant(text('half'));
    process.stderr.write('Segfault\n');
    process.exitCode = 139;
  },
  'goes without a word': () => init(),
  'prints broken lines'() {
    init();
    process.stdout.write(
      '{"type":"assistant","message":{"content":[{"type":"text","text":"par{"type":"rate_limit_event"}\nnot json\n\n',
    );
    result({ result: 'whole' });
  },
  async 'works for ever'() {
    init();
    assistant(text('half'));
    await untilFile('never');
  },
};

await SCENARIOS[scenario]();
