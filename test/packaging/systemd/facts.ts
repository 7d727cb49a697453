/** Prints what the agent takes this host for, seen from where it is run: a unit's sandbox. */
import {hostAddress} from '../../../src/config/host.ts';
import {hostFacts} from '../../../src/nova/host-facts.ts';

const room = async () => undefined;
const {inventory} = await hostFacts({myIp: hostAddress.value(), room}, AbortSignal.timeout(60_000));
process.stdout.write(`${JSON.stringify({facts: inventory})}\n`);
