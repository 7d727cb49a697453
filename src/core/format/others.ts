import {type Found, type Inspection, read, refuse, type Signature} from './inspection.ts';

/** Formats that QEMU would recognise and nobody serves: a file that is one of them must not pass as raw. */
const signatures: [Signature, string][] = [
  ['qed', 'QED\0'],
  ['parallels', 'WithoutFreeSpace'],
  ['parallels', 'WithouFreSpacExt'],
  ['bochs', 'Bochs Virtual HD Image'],
  ['cloop', '#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n'],
];

export function* others(found: Found): Inspection {
  const head = (yield* read(0, 128)).toString('latin1');
  const [format] = signatures.find(([, start]) => head.startsWith(start)) ?? [];
  if (format !== undefined) refuse(found(format), 'banned', `${format} is not served`);
}
