/**
 * What `npm run test:e2e` runs once the setup is done: the tests that need Nova, against a lab with it. With arguments,
 * only those: `npm run test:e2e -- test/e2e/stock.test.ts`. The last line on stdout is `N passed, N failed`.
 */
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {listenForTheEnd} from './lib/stages.mjs';
import {conclude, noTests, testWithNova} from './lib/testing.mjs';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
listenForTheEnd();
const totals = noTests();
const results = await testWithNova(process.argv.slice(2), totals);
conclude(results, totals);
