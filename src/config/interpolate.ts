// Dots belong to a name, so that `$libvirt.rbd_user` is one. The four odd letters: Python's [a-z] under IGNORECASE has them.
const letter = 'A-Z_a-z\\u0130\\u0131\\u017f\\u212a';
const name = `[${letter}][${letter}.0-9]*`;
const reference = new RegExp(`\\$(?:(?<escaped>\\$)|(?<named>${name})|\\{(?<braced>${name})\\})?`, 'g');

/**
 * A text with its `$name`s and `${name}`s replaced by what `lookup` says; undefined leaves one as it stands. `$$` and `\$`
 * are a dollar sign; a `$` before anything else stays.
 */
export function interpolate(text: string, lookup: (name: string) => string | undefined): string {
  return text
    .replaceAll('\\$', () => '$$')
    .replace(reference, (...match) => {
      const {escaped, named, braced} = match.at(-1) as Record<string, string | undefined>;
      if (escaped !== undefined) return '$';
      const wanted = named ?? braced;
      return (wanted === undefined ? undefined : lookup(wanted)) ?? match[0];
    });
}
