import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { isAlive, RunnerSession, script } from '../../support/runner-session.js';

const report = (fields: object): string => `echo '${JSON.stringify({ nightporter: fields })}' >&2`;

describe('the provider command', () => {
  let session: RunnerSession;
  beforeEach(() => {
    session = new RunnerSession();
  });
  afterEach(() => session.dispose());

  const outcome = async (command: readonly string[]): Promise<Record<string, unknown>> => {
    session.enqueue({ id: 'm' });
    session.start({ command });
    return eventually(
      'the turn ends',
      () => {
        const ack = session.ack('m');
        return ack !== undefined && ack.status !== 'processing' ? { ...ack } : undefined;
      },
      { timeoutMs: 20_000 },
    );
  };

  it('gives the program its messages on stdin, context first, and takes its stdout for the answer', async () => {
    session.enqueue(
      { id: 'before', trigger: false, content: 'no json' },
      { id: 'm', tries: 1, attempt: 3, content: '{"text":"hi","n":[1]}', timestamp: '2026-01-01T00:00:00.000Z' },
    );
    session.start({ command: ['tee', 'seen.json'], epoch: 5 });
    await session.untilAcked('completed', 'before', 'm');
    const seen = JSON.parse(session.file('seen.json') ?? '') as Record<string, unknown>;
    expect(seen).toMatchObject({
      protocol: 1,
      session: 'demo/first',
      incarnation: 5,
      resume: null,
      messages: [
        { id: 'before', content: 'no json', trigger: false },
        {
          id: 'm',
          seq: 4,
          kind: 'chat',
          timestamp: '2026-01-01T00:00:00.000Z',
          content: { text: 'hi', n: [1] },
          attempt: 3,
          tries: 1,
          trigger: true,
          platform_id: 'p1',
          channel_type: 'web',
          thread_id: 't1',
        },
      ],
    });
    expect(session.replies()).toEqual([['m', session.file('seen.json')?.trimEnd()]]);
  });

  it('runs once per message, in order, in the workspace, without a shell', async () => {
    session.enqueue({ id: 'a' }, { id: 'b' }, { id: 'c' });
    session.start({ command: ['printf', '%s|', '$HOME', '*; exit 3'] });
    await session.untilAcked('completed', 'a', 'b', 'c');
    expect(session.replies()).toEqual(['a', 'b', 'c'].map((id) => [id, '$HOME|*; exit 3|']));
  });

  it.each([
    ['exit 75', 'retryable', 'exit code 75'],
    ['exit 64', 'fatal', 'exit code 64'],
    ['exit 78', 'fatal', 'exit code 78'],
    ['echo why >&2; exit 65', 'fatal', 'exit code 65: why'],
    ['exit 1', 'retryable', 'exit code 1'],
    ['exit 63', 'retryable', 'exit code 63'],
    ['exit 79', 'retryable', 'exit code 79'],
    ['exit 255', 'retryable', 'exit code 255'],
    ['echo out; echo oops >&2; exit 1', 'retryable', 'exit code 1: oops'],
    ['kill -KILL $$', 'retryable', 'killed by SIGKILL'],
    ['kill -SEGV $$', 'retryable', 'killed by SIGSEGV'],
    [`${report({ error_class: 'context_overflow', error: 'too long' })}; exit 1`, 'context_overflow', 'too long'],
    [`echo a >&2; ${report({ error_class: 'fatal' })}; echo b >&2; exit 75`, 'fatal', 'exit code 75: a\nb'],
    [`${report({ error_class: 'no such', error: 7 })}; exit 75`, 'retryable', 'exit code 75'],
    ['echo \'{"nightporter": nonsense\' >&2; exit 64', 'fatal', 'exit code 64: {"nightporter": nonsense'],
  ])('maps %s', async (text, errorClass, error) => {
    expect(await outcome(script(text))).toMatchObject({
      status: 'failed',
      error_class: errorClass,
      error,
      retry_at: null,
    });
    expect(session.answers()).toEqual([]);
  });

  it('takes the time that a rate-limited program names, without a zone as UTC', async () => {
    const text = `${report({ error_class: 'rate_limited', retry_at: '2031-05-01 10:00:00', error: 'slow down' })}; exit 1`;
    expect(await outcome(script(text))).toMatchObject({
      status: 'failed',
      error_class: 'rate_limited',
      error: 'slow down',
      retry_at: '2031-05-01T10:00:00.000Z',
    });
  });

  it('completes without an answer when the program says nothing', async () => {
    expect(await outcome(script('exit 0'))).toMatchObject({ status: 'completed', error: null });
    expect(session.answers()).toEqual([]);
  });

  it('calls a program that is not there, or may not be run, by its name, and finally', async () => {
    expect(await outcome(['no-such-program-here'])).toMatchObject({
      status: 'failed',
      error_class: 'fatal',
      error: expect.stringContaining('program not found: no-such-program-here') as string,
    });
  });

  it('calls a program that may not be executed fatal', async () => {
    const path = join(session.workspace, 'plain.txt');
    writeFileSync(path, 'x');
    chmodSync(path, 0o644);
    expect(await outcome(['./plain.txt'])).toMatchObject({
      error_class: 'fatal',
      error: 'program may not be executed: ./plain.txt',
    });
  });

  it('keeps the last 4 KiB of stderr, without half a character', async () => {
    const ack = await outcome(script(`head -c 100000 /dev/zero | tr '\\0' x >&2; printf '%02000d' 7 >&2; exit 1`));
    const error = String(ack['error']);
    expect(error).toMatch(/^exit code 1: x+0+7$/);
    expect(Buffer.byteLength(error)).toBeLessThanOrEqual(4096);
  });

  it('keeps the end of stderr where the start has to go', async () => {
    const ack = await outcome(
      script(`i=0; while [ $i -lt 3000 ]; do printf 'é' >&2; i=$((i+1)); done; echo END >&2; exit 1`),
    );
    const error = String(ack['error']);
    expect(error).toMatch(/^exit code 1: é+END$/);
    expect(Buffer.byteLength(error)).toBeLessThanOrEqual(4096);
  });

  it('refuses an answer of over 16 MiB, and ends the program', async () => {
    expect(await outcome(script('echo $$ > pid; exec cat /dev/zero'))).toMatchObject({
      status: 'failed',
      error_class: 'fatal',
      error: 'the answer is larger than 16777216 bytes',
    });
    expect(isAlive(Number(session.file('pid')))).toBe(false);
    expect(session.answers()).toEqual([]);
  });

  it('refuses an answer that is over 16 MiB only as it would stand in the file', async () => {
    expect(await outcome(script('head -c 9000000 /dev/zero'))).toMatchObject({ error_class: 'fatal' });
    expect(session.answers()).toEqual([]);
  });

  it('takes an answer of 10 MB, and a message of 10 MB', async () => {
    const text = 'x'.repeat(10_000_000);
    session.enqueue({ id: 'm', text });
    session.start({ command: script(`cat > in.json; head -c 10000000 /dev/zero | tr '\\0' x`) });
    await session.untilAcked('completed', 'm');
    expect(session.replies()[0]?.[1] === text).toBe(true);
    expect(session.file('in.json')).toContain(text);
  });

  it('puts U+FFFD where an answer is not UTF-8', async () => {
    expect(await outcome(script(`printf 'a\\377b\\303\\251\\303'`))).toMatchObject({ status: 'completed' });
    expect(session.replies()).toEqual([['m', 'a\uFFFDbé\uFFFD']]);
  });

  it('does not mind a program that leaves its input unread', async () => {
    session.enqueue({ id: 'big', text: 'x'.repeat(1_000_000) }, { id: 'next' });
    session.start({ command: script('exec 0<&-; echo ok') });
    await session.untilAcked('completed', 'big', 'next');
    expect(session.replies().map(([, text]) => text)).toEqual(['ok', 'ok']);
  });

  it('leaves nothing of the program behind when a turn is over', async () => {
    const ack = await outcome(script('sleep 300 & echo $! > left; echo ok'));
    expect(ack).toMatchObject({ status: 'completed' });
    expect(session.replies()).toEqual([['m', 'ok']]);
    expect(isAlive(Number(session.file('left')))).toBe(false);
  });

  it('waits for those who still write the answer after the program itself has ended', async () => {
    await outcome(script('(while [ ! -e go ]; do sleep 0.02; done; echo late) & (sleep 0.3; touch go) & echo early'));
    expect(session.replies()).toEqual([['m', 'early\nlate']]);
  });

  it("keeps the program's session id with a success, and gives it to the next turn", async () => {
    const command = script(
      `echo "$NIGHTPORTER_RESUME" >> resumed; [ -e fail ] && { ${report({ provider_session: 'bad' })}; exit 1; }; ` +
        `[ -z "$NIGHTPORTER_RESUME" ] && { ${report({ provider_session: 'abc-1' })}; }; cat >> stdin; echo ok`,
    );
    session.enqueue({ id: 'm1' });
    session.start({ command });
    await session.untilAcked('completed', 'm1');
    expect(session.providerSession('provider_session:command')).toMatchObject({ id: 'abc-1' });
    session.touch('fail');
    session.enqueue({ id: 'm2' });
    await session.untilAcked('failed', 'm2');
    expect(session.providerSession('provider_session:command')).toMatchObject({ id: 'abc-1' });
    expect(session.file('resumed')).toBe('\nabc-1\n');
    expect(session.file('stdin')).toContain('"resume":null');
  });

  it('shows the tool that the program says it runs, until the turn is over', async () => {
    session.enqueue({ id: 'm' });
    session.start({
      command: script(
        `${report({ tool: 'Bash', tool_timeout_ms: 600_000 })}; while [ ! -e go ]; do sleep 0.02; done; echo ok`,
      ),
    });
    await eventually('the tool', () => session.state()?.current_tool === 'Bash');
    expect(session.state()?.tool_declared_timeout_ms).toBe(600_000);
    session.touch('go');
    await session.untilAcked('completed', 'm');
    expect(session.state()).toMatchObject({ current_tool: null, tool_declared_timeout_ms: null });
  });

  it('passes on what the program complains of, and logs neither contents nor answers', async () => {
    session.enqueue({ id: 'm', text: 'secret-question' });
    const runner = session.start({ command: script('echo secret-answer; echo complaint >&2; exit 1') });
    await session.untilAcked('failed', 'm');
    await runner.kill('SIGTERM');
    expect(runner.output).toContain('turn ended');
    expect(runner.output).toContain('complaint');
    expect(runner.output).not.toContain('secret');
  });
});
