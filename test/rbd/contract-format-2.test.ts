/** The suites in which the clone's format shows, with clones of format 2. */
import test from 'ava';
import {copiesSuite} from '../suites/copies.ts';
import {disksSuite} from '../suites/disks.ts';
import {realCell} from './real-cell.ts';

const subject = realCell(test, {cloneFormat: '2'});
disksSuite(test, 'Ceph, clone format 2', subject);
copiesSuite(test, 'Ceph, clone format 2', subject);
