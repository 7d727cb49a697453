/** The process of a test file is named after it: `ps` and the check's own watch (scripts/lib/workers.mjs) tell which file is under way. */
import {relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';

process.title = `ava: ${relative(process.cwd(), fileURLToPath(test.meta.file))}`;
