import type {Check} from './check.ts';
import {agentChecks} from './checks/agent.ts';
import {capsChecks} from './checks/caps.ts';
import {cephChecks} from './checks/ceph.ts';
import {hostChecks} from './checks/host.ts';
import {keyringsCheck} from './checks/keyrings.ts';
import {novaChecks} from './checks/nova.ts';
import {openstackChecks} from './checks/openstack.ts';
import {secretsChecks} from './checks/secrets.ts';

/** All of them, in the order in which they are told. docs/operations.md has the same table. */
export const checks: readonly Check[] = [
  ...agentChecks,
  ...cephChecks,
  keyringsCheck,
  ...capsChecks,
  ...openstackChecks,
  ...novaChecks,
  ...hostChecks,
  ...secretsChecks,
];
