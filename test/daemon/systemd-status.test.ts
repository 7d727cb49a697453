import test from 'ava';
import type {Part} from '../../src/daemon/health.ts';
import {statusLine} from '../../src/daemon/systemd-status.ts';

const up = () => ({state: 'up'}) as const;

test('the status names the cell, how far the host is registered, and what is being filled', t => {
  const registration = {state: 'mapped'} as const;
  t.is(
    statusLine({cell: 'cell1', registration, fills: [], health: up}),
    'serving cell cell1; registration: mapped; no fills',
  );
  t.is(
    statusLine({cell: undefined, registration: {state: 'off'}, fills: ['an-image'], health: up}),
    'serving; registration: off; filling an-image',
  );
});

test('what somebody must look at is in it', t => {
  const health = (part: Part) => (part === 'ceph' ? ({state: 'down', why: 'no answer'} as const) : up());
  const registration = {state: 'refused', why: 'it is mapped to cell2'} as const;
  t.is(
    statusLine({cell: 'cell1', registration, fills: ['a', 'b'], health}),
    'serving cell cell1; registration: refused (it is mapped to cell2); filling 2 images; ceph is down',
  );
});
