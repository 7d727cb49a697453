/** Prints "rbd" where librbd's headers are, "none" where they are not. Debian's librbd-dev ships no pkg-config file. */
import {existsSync} from 'node:fs';

const directories = [...(process.env.CPATH ?? '').split(':'), '/usr/include', '/usr/local/include'];
const found = directories.some(directory => directory !== '' && existsSync(`${directory}/rbd/librbd.h`));
process.stdout.write(found ? 'rbd' : 'none');
