/** Logs of the lab's services. */
import {existsSync, readFileSync} from 'node:fs';

/** All of it; empty when there is none yet. */
export const logText = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
