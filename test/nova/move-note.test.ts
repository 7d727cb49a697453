import test from 'ava';
import {nextStep, planMove} from '../../src/nova/move.ts';
import type {MoveFacts} from '../../src/nova/move-facts.ts';
import {noteOf, reminders} from '../../src/nova/move-note.ts';
import {back, facts, gone, leave, more, node, note, noted, other, service, toCell2} from './moving-host.ts';

test('a note keeps what it has, and gets what the host has got since', t => {
  const now = new Date('2026-11-23T00:00:00Z');
  t.deepEqual(noteOf(facts, now), {...note, since: now.toISOString()});
  const since = {...noted, services: back, aggregates: [{id: 4, name: 'fast'}], nodes: [other]};
  t.deepEqual(noteOf(since, now), {...note, nodes: [node, other], aggregates: more});
  t.deepEqual(noteOf(gone, now), note);
});

test('the aggregates it was in are told with the command that adds it again', t => {
  t.true(reminders(noted).some(one => one.includes('openstack aggregate add host 3 compute-1')));
  t.false(reminders({...noted, note: undefined}).some(one => one.includes('aggregate add')));
});

test('an agent that registers after the note was made leaves with the nova-compute that was noted', t => {
  const old = {...noted, note: {...note, services: ['s1']}};
  const now = new Date('2026-11-23T00:00:00Z');
  t.deepEqual(noteOf(old, now), note);
  for (const goal of [leave, toCell2]) t.like(nextStep(planMove(old, goal)), {name: 'note', state: 'todo'});
  const later: [string, Partial<MoveFacts>][] = [
    ['beside a nova-compute that is none of it', {services: [...facts.services, ...back]}],
    ['without nova-compute', {services: [service('nova-cellar-agent', 's2')]}],
    ['in the new cell', {services: [service('nova-cellar-agent', 's2'), ...back]}],
  ];
  for (const [title, given] of later) t.deepEqual(noteOf({...old, ...given}, now).services, ['s1'], title);
  t.deepEqual(noteOf({...noted, services: [...facts.services, service('nova-conductor', 's5')]}, now), note);
});
