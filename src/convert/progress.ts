/** Reads `    (12.50/100%)`, which qemu-img prints over and over, cut anywhere. */
export function progressReader(onProgress: (done: number) => void): (text: string) => void {
  let rest = '';
  return text => {
    rest += text;
    const percent = [...rest.matchAll(/\((\d+\.\d+)\/100%\)/g)].at(-1)?.[1];
    if (percent !== undefined) onProgress(Math.min(1, Number(percent) / 100));
    rest = rest.slice(rest.lastIndexOf(')') + 1).slice(-64);
  };
}
