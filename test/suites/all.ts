import {copiesSuite} from './copies.ts';
import {disksSuite} from './disks.ts';
import {indexSuite} from './index.ts';
import {intentsSuite} from './intents.ts';
import {leasesSuite} from './leases.ts';
import type {Suite} from './subject.ts';
import {trashSuite} from './trash.ts';
import {usageSuite} from './usage.ts';

/** Everything that a cell promises. */
export const cellSuites: Suite = (...on) => {
  for (const suite of [disksSuite, trashSuite, copiesSuite, indexSuite, usageSuite, leasesSuite, intentsSuite])
    suite(...on);
};
