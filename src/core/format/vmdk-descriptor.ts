import {type Detection, refuse} from './inspection.ts';

const served = ['monolithicsparse', 'streamoptimized'];
/** `ACCESS sectors TYPE "name"`. The name is only a name: a sparse extent is the file itself. */
const extentLine = /^(?:rw|rdonly|noaccess)\s+\d+\s+(\w+)\s+"([^"]*)"(?:\s+\d+)?$/;

/**
 * Reads a VMDK's text line by line, and refuses what is not understood. QEMU searches this text for words, wherever they
 * stand; so words that would make it open a second file are searched for in the same way.
 */
export function judgeDescriptor(it: Detection, bytes: Buffer) {
  const wrong = (why: string) => refuse(it, 'descriptor', why);
  const stop = bytes.indexOf(0);
  const used = stop === -1 ? bytes : bytes.subarray(0, stop);
  if (stop !== -1 && bytes.subarray(stop).some(byte => byte !== 0))
    return wrong('its descriptor goes on after its end');
  if (used.some(byte => byte > 0x7e)) return wrong('its descriptor is not ASCII');
  const text = used.toString('latin1').toLowerCase();
  if (text.includes('parentfilenamehint')) refuse(it, 'backing-file', 'it names a parent: it would read another file');

  const types: string[] = [];
  let extents = 0;
  for (const line of text.split('\n').map(line => line.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith('ddb')) continue;
    const [, key, value] = /^([^\s=]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) {
      if (key === 'createtype') types.push(value.replaceAll('"', ''));
      if (key === 'parentcid' && value !== 'ffffffff') refuse(it, 'backing-file', 'it is a snapshot of another disk');
      if (/encrypt|keysafe/.test(key)) refuse(it, 'encrypted', 'it is encrypted');
      continue;
    }
    const extent = extentLine.exec(line);
    if (extent === null) return wrong(`its descriptor has a line that is not understood: ${show(line)}`);
    extents++;
    if (/[/\\]/.test(extent[2] ?? '')) wrong(`its extent is in another place: ${show(line)}`);
    else if (extent[1] !== 'sparse') refuse(it, 'subformat', `its extent is ${extent[1]}, not sparse`);
  }
  if (types.length === 1) it.features['subformat'] = types[0] ?? '';
  if (types.length !== 1) wrong('its descriptor says no createType, or several');
  else if (!served.includes(types[0] ?? ''))
    refuse(
      it,
      'subformat',
      `its createType is ${show(types[0] ?? '')}; only monolithicSparse and streamOptimized are one file`,
    );
  if (extents === 0) wrong('its descriptor lists no extent');
}

/**
 * A descriptor without a disk around it, by what QEMU goes by (comments and empty lines, then a version), and a little wider:
 * a file that QEMU would take for a list of other files must not pass as raw.
 */
export function looksLikeDescriptor(text: string): boolean {
  if (/^#\s*disk\s*descriptorfile/i.test(text)) return true;
  const first = text.split('\n').find(line => line.trim() !== '' && !line.startsWith('#'));
  return first !== undefined && /^\s*version\s*=\s*\d/i.test(first);
}

const show = (text: string): string => JSON.stringify(text.slice(0, 60));
