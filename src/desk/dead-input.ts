import { z } from 'zod';
import type { DeadFilter, DeadSelection } from './api.js';

const isYes = z.union([z.boolean(), z.literal('1').transform(() => true)]).optional();

const FILTER_FIELDS = {
  session: z.string().optional(),
  group: z.string().optional(),
  reason: z.string().optional(),
  errorClass: z.string().optional(),
  olderThan: z.string().optional(),
  newerThan: z.string().optional(),
  limit: z.coerce.number().int().positive().optional(),
  purged: isYes,
};

/** Also from a query string, where everything is text. */
export const DEAD_FILTER: z.ZodType<DeadFilter> = z.strictObject(FILTER_FIELDS);
export const DEAD_SELECTION: z.ZodType<DeadSelection> = z.strictObject({
  ...FILTER_FIELDS,
  ids: z.array(z.string()).optional(),
  all: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  until: z.string().optional(),
});
