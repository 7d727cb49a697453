/** Reads ava's TAP as it comes: a line per test for people, and the totals. */

const result = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b.*)?$/;

/**
 * `write` gets the lines to show. What a test logged or why it failed follows its line. A file that crashed or timed out
 * is a failure of its own in TAP, and here.
 */
export function tapReader(write) {
  const totals = {passed: 0, failed: 0, skipped: 0};
  let rest = '';

  const line = text => {
    const [match, not, title, directive] = result.exec(text) ?? [];
    if (match === undefined) {
      if (/^(#? {2}| {2}|Bail out!)/.test(text)) write(text.replace(/^#/, ' '));
      return;
    }
    const kind = directive ? 'skipped' : not ? 'failed' : 'passed';
    totals[kind]++;
    write(`  ${{passed: '✔', failed: '✘', skipped: '-'}[kind]} ${title}`);
  };

  return {
    totals,
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
