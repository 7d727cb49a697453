/** The demo speaks on stderr, so that stdout holds the results alone. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says what begins, and how long it took when it has ended. */
export async function step<T>(name: string, act: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  process.stderr.write(`  ${name} ...`);
  try {
    const result = await act();
    process.stderr.write(` ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
    return result;
  } catch (error) {
    process.stderr.write(' failed\n');
    throw error;
  }
}
