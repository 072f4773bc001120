import type { FilesSettings } from '../session-files/open-database.js';
import { operationsOf } from '../session-files/operations.js';
import { serve } from './serve.js';

// Entry of a file worker: works on session files.
serve(operationsOf(JSON.parse(process.argv[2] ?? '{}') as FilesSettings));
