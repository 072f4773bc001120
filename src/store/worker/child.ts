import { nanoclawOperations } from '../nanoclaw/operations.js';
import type { FilesSettings } from '../session-files/open-database.js';
import { operationsOf } from '../session-files/operations.js';
import { serve } from './serve.js';

// Entry of a file worker: works on session files, and reads those of foreign installations.
const settings = JSON.parse(process.argv[2] ?? '{}') as FilesSettings;
serve({ ...operationsOf(settings), ...nanoclawOperations(settings) });
