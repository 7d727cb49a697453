/** The contract suites on real Ceph, with the agent's documented rights and clones of format 1. */
import test from 'ava';
import {cellSuites} from '../suites/all.ts';
import {realCell} from './real-cell.ts';

cellSuites(test, 'Ceph', realCell(test, {cloneFormat: '1'}));
