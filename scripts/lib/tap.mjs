/** Reads ava's TAP as it comes: a line per test for people, the totals, and what failed, to be told again at the end. */
import {existsSync} from 'node:fs';
import {join} from 'node:path';

const result = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b.*)?$/;
const plan = /^1\.\.\d+$/;

/** Lines kept of why one test failed. */
const mostLines = 60;

/**
 * `write` gets the lines to show. What a test logged or why it failed follows its line. A file that crashed or timed out
 * is a failure of its own in TAP, and here. `onPlan` is called at the plan, which ava writes when all files have ended.
 */
export function tapReader(write, onPlan) {
  const totals = {passed: 0, failed: 0, skipped: 0};
  const failures = [];
  let failure;
  let rest = '';

  const line = text => {
    const [match, not, title, directive] = result.exec(text) ?? [];
    if (plan.test(text)) onPlan();
    if (match === undefined) {
      if (/^(#? {2}| {2}|Bail out!)/.test(text)) {
        const why = text.replace(/^#/, ' ');
        write(why);
        if (failure !== undefined && failure.why.length < mostLines) failure.why.push(why);
      }
      return;
    }
    failure = not && !directive ? {title, why: []} : undefined;
    if (failure !== undefined) failures.push(failure);
    const kind = directive ? 'skipped' : not ? 'failed' : 'passed';
    totals[kind]++;
    write(`  ${{passed: '✔', failed: '✘', skipped: '-'}[kind]} ${title}`);
  };

  return {
    totals,
    failures,
    push(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const each of lines) line(each);
    },
    end() {
      if (rest !== '') line(rest);
      rest = '';
    },
  };
}

/** ava puts a test's file before its title, below the folder that all files share; undefined for one that cannot be told. */
export function fileOf(title) {
  const named = /\btest\/\S+\.test\.ts\b/.exec(title)?.[0]; // one that crashed
  if (named !== undefined) return named;
  const parts = title.split(' › ');
  for (const root of ['test', join('test', 'e2e')]) {
    for (let count = 1; count < parts.length; count++) {
      const file = `${join(root, ...parts.slice(0, count))}.test.ts`;
      if (existsSync(file)) return file;
    }
  }
  return undefined;
}
