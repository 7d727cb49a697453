/** `npm run bench`: how quick cellar is, on real Ceph, Keystone and Glance, beside librbd alone and Nova's own code. */
import {mkdtempSync, rmSync} from 'node:fs';
import {loadavg, tmpdir} from 'node:os';
import {join} from 'node:path';
import {halt} from '../test/lab/run.ts';
import {type Options, parseOptions, Usage} from './options.ts';
import {checkPackages} from './packages.ts';
import {openPlace, type Place} from './place.ts';
import {machineOf} from './report/machine.ts';
import {writeDocs} from './report/markdown.ts';
import {type Found, printTable, type Report, toJson} from './report/report.ts';
import {boot} from './sections/boot.ts';
import {clone} from './sections/clone.ts';
import {fillRaw} from './sections/fill.ts';
import {herd} from './sections/herd.ts';
import {memory} from './sections/memory.ts';
import {parallel} from './sections/parallel.ts';
import {qcow2} from './sections/qcow2.ts';
import {registration} from './sections/registration.ts';
import {type Section, say} from './sections/section.ts';

/** In the order in which they run. */
const sections: Record<string, Section> = {clone, fillRaw, qcow2, herd, memory, parallel, boot, registration};

await main();

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => halt.abort(new Error(`stopped by ${signal}`)));
  try {
    const options = parseOptions(process.argv.slice(2), Object.keys(sections));
    await checkPackages();
    const report = await measure(options);
    printTable(report.found);
    const failed = Object.values(report.found).some(one => 'failed' in one);
    if (options.json) process.stdout.write(`${JSON.stringify(toJson(report))}\n`);
    if (options.write && !failed) writeDocs(report);
    process.exitCode = failed ? 1 : 0;
  } catch (error) {
    say(error instanceof Usage ? error.message : `bench: ${(error as Error).message}`);
    process.exitCode = error instanceof Usage ? 0 : 1;
  }
}

async function measure({sizes, only, quick}: Options): Promise<Report> {
  const begin = performance.now();
  const load = loadavg().map(value => Math.round(value * 100) / 100);
  const base = mkdtempSync(join(tmpdir(), 'cellar-bench-'));
  try {
    say('starting the lab');
    await using place = await openPlace(base, sizes);
    const machine = await machineOf(place, load);
    const found: Found = {};
    for (const name of only) Object.assign(found, await walk(name, place));
    const seconds = (performance.now() - begin) / 1000;
    return {date: new Date().toISOString(), seconds, quick, machine, sizes, found};
  } finally {
    rmSync(base, {recursive: true, force: true, maxRetries: 3});
  }
}

/** One section. Its failure is a result too: the others are measured all the same. */
async function walk(name: string, place: Place): Promise<Found> {
  const begin = performance.now();
  say(`${name} ...`);
  try {
    halt.signal.throwIfAborted();
    await place.renewToken();
    const found = await Promise.race([sections[name]?.(place) ?? {}, halted()]);
    say(`${name}: ${((performance.now() - begin) / 1000).toFixed(0)} s`);
    return found;
  } catch (error) {
    if (halt.signal.aborted) throw error;
    say(`${name} FAILED: ${(error as Error).stack}`);
    return {[name]: {failed: (error as Error).message}};
  }
}

/** Rejects when everything has to go: whoever waits for an agent's answer would otherwise wait on. */
function halted(): Promise<never> {
  return new Promise((_, reject) => {
    halt.signal.addEventListener('abort', () => reject(halt.signal.reason), {once: true});
  });
}
