import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { NightporterError } from '../protocol/errors.js';
import type { ChannelEvent, CreateSessionInput, ImportInput, ScheduleChange, SendInput } from './api.js';
import { SCHEDULE_CHANGES, SESSION_CHANGES } from './api.js';
import { quoted } from './input-texts.js';

const SEND_FIELDS = {
  session: z.string(),
  text: z.string(),
  id: z.string().optional(),
  kind: z.string().optional(),
  after: z.string().optional(),
  noWake: z.boolean().optional(),
  cron: z.string().optional(),
  tz: z.string().optional(),
  missed: z.string().optional(),
};

const STAGED_FILE = z.strictObject({
  stage: z.uuid(),
  name: z.string(),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'no SHA-256 in hex'),
});

export const SEND: z.ZodType<SendInput> = z.strictObject({
  ...SEND_FIELDS,
  attachments: z.array(STAGED_FILE).max(10_000).optional(),
});
/** A line of a batch. */
export const BATCH_LINE: z.ZodType<SendInput> = z.strictObject(SEND_FIELDS);
export const CREATE_SESSION: z.ZodType<CreateSessionInput> = z.strictObject({
  session: z.string(),
  provider: z.string().optional(),
  command: z.string().optional(),
  image: z.string().optional(),
});
export const CHANGE_SESSION = z.strictObject({ change: z.enum(SESSION_CHANGES) });
export const CHANGE_SCHEDULE: z.ZodType<ScheduleChange & { readonly series: string }> = z.strictObject({
  series: z.string(),
  change: z.enum(SCHEDULE_CHANGES),
  cron: z.string().optional(),
  tz: z.string().optional(),
  missed: z.string().optional(),
  text: z.string().optional(),
});
export const EVENT: z.ZodType<ChannelEvent> = z.strictObject({
  channel: z.string(),
  group: z.string(),
  event: z.string(),
  text: z.string().optional(),
  id: z.string().optional(),
  kind: z.string().optional(),
  attachments: z.array(STAGED_FILE).max(10_000).optional(),
  project: z.string().optional(),
  title: z.string().optional(),
  provider: z.string().optional(),
});
export const GC = z.strictObject({ dryRun: z.boolean(), archive: z.boolean().optional() });
export const IMPORT: z.ZodType<ImportInput> = z.strictObject({
  folder: z.string(),
  dryRun: z.boolean(),
  group: z.string().optional(),
});
export const SWEEP = z.strictObject({ dryRun: z.boolean(), runtime: z.string().optional() });

/**
 * Checks the shape of what came over the edge; all problems in one message.
 * @throws NightporterError `usage`
 */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const problems = result.error.issues.flatMap((issue) => explain(issue, known));
  throw new NightporterError('usage', problems.join('; '));
}

/** @throws NightporterError `usage` */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NightporterError('usage', 'not JSON', { cause: error });
  }
}

/** @throws NightporterError `usage` */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new NightporterError('usage', 'not UTF-8', { cause: error });
  }
}

function explain(issue: z.core.$ZodIssue, known: readonly string[]): readonly string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = known.length > 0 ? `: did you mean "${closest(key, [...known])}"?` : '';
      return `unknown field ${quoted(key)}${near}`;
    });
  }
  if (issue.path.length === 0) return [issue.code === 'invalid_type' ? `not a JSON ${issue.expected}` : issue.message];
  const field = `"${issue.path.join('.')}"`;
  if (issue.code === 'invalid_type') {
    return [
      issue.input === undefined ? `${field} is missing or no ${issue.expected}` : `${field} is no ${issue.expected}`,
    ];
  }
  return [`${field}: ${issue.message}`];
}
