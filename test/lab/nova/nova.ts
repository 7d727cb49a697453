/** Nova on top of a lab: what is started when, and how it ends. */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {stopDaemonsBelow} from '../daemon.ts';
import {adminAccount} from '../keystone.ts';
import {issueToken} from '../keystone-api.ts';
import {all} from '../run.ts';
import type {LabState} from '../state.ts';
import {startCompute} from './compute.ts';
import {networkUrl, startApiServices, startConductor, writeConfigurations} from './control-plane.ts';
import {makeSchemas, startDatabase} from './database.ts';
import {startPlacement} from './placement.ts';
import {makeRabbit, startRabbit} from './rabbit.ts';
import {makeFlavors} from './servers.ts';
import {type NovaPlace, type NovaState, novaDir, novaPorts, planNova} from './state.ts';

export type Step = <T>(name: string, act: () => Promise<T>) => Promise<T>;
export type NovaOptions = NovaPlace & {keystoneUrl: string; tied: boolean; step: Step};

/** The host that a lab with a compute has from the start: an unmodified nova-compute of cell1. */
export const firstHost = 'compute-1';

/** What needs neither Keystone nor Ceph: databases with their schemas, and the message bus. */
export async function prepareNova(options: NovaOptions): Promise<NovaState> {
  if (process.getuid?.() !== 0) throw new Error('the lab with Nova needs root: its libvirt runs in namespaces');
  const nova = planNova(options);
  const {step, tied, port} = options;
  mkdirSync(nova.dir, {recursive: true, mode: 0o700});
  writeConfigurations(nova, options);
  const rabbit = {ports: novaPorts(port), tied};
  makeRabbit(nova, rabbit);
  await all([
    step('RabbitMQ', () => startRabbit(nova, rabbit)),
    (async () => {
      await step('MariaDB', () => startDatabase(nova, {tied}));
      await step("Nova's and Placement's databases", () => makeSchemas(nova));
    })(),
  ]);
  return nova;
}

/** Accounts and endpoints that Keystone must have for it. */
export const novaIdentities = ({port, base, ...place}: NovaPlace) => {
  const {novaUrl, placementUrl} = planNova({port, base, ...place});
  return {
    users: ['nova', 'placement'],
    services: [
      {name: 'nova', type: 'compute', url: novaUrl},
      {name: 'placement', type: 'placement', url: placementUrl},
      {name: 'neutron', type: 'network', url: networkUrl(port)},
    ],
  };
};

/** All services but the computes. Keystone must have their accounts: the conductors log in when they start. */
export async function startNova(nova: NovaState, {port, tied, step}: NovaOptions): Promise<void> {
  await all([
    step('Placement', () => startPlacement(nova, {tied})),
    step('nova-api, scheduler, super-conductor', () => startApiServices(nova, port, {tied})),
    ...nova.cells.map(({name}) => step(`conductor of ${name}`, () => startConductor(nova, name, {tied}))),
  ]);
}

/** Flavors, and the first compute if it is wanted. Needs everything else. */
export async function finishNova(
  state: LabState,
  nova: NovaState,
  {compute, tied, step}: NovaOptions & {compute: boolean},
) {
  const token = () => issueToken(state.keystoneUrl, adminAccount(state.password));
  await all([
    makeFlavors(nova, token),
    ...(compute
      ? [step(`nova-compute with libvirt (${nova.virtType})`, () => startCompute(state, nova, {host: firstHost, tied}))]
      : []),
  ]);
}

/** Ends everything of it, guests included. */
export async function stopNova(base: string, {keep = false} = {}): Promise<void> {
  await stopDaemonsBelow(join(novaDir(base), 'hosts'));
  await stopDaemonsBelow(novaDir(base));
  if (!keep) rmSync(novaDir(base), {recursive: true, force: true, maxRetries: 3});
}
