import type { ErrorBody } from '../desk/wire.js';
import { describeError } from '../desk/describe-error.js';

export function errorBody(error: unknown): ErrorBody {
  return { error: describeError(error) };
}
