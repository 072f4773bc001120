import { serve } from '../worker/serve.js';
import { operationsOf } from './operations.js';

// Entry of the process in which `doctor` looks at the store: what hangs or eats memory there is ended with it.
serve(operationsOf(process.argv[2] ?? ''));
