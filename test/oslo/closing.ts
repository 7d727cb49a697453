/** closing.ts WHAT URL: closes a client in the middle of something; nothing but what it left would keep the process. */
import {RpcClient} from '../../src/oslo/rpc.ts';

const [what, url = ''] = process.argv.slice(2);
const rpc = new RpcClient({url});
const {signal} = new AbortController();
const call = {topic: 'conductor', version: '3.0', signal};
if (what === 'idle') await rpc.call({...call, method: 'echo', args: {}});
if (what === 'calling' || what === 'connecting') {
  const waiting = rpc.call({...call, method: 'wait', args: {seconds: 5}, monitorMs: 30_000});
  waiting.catch(error => console.log(error.kind));
  if (what === 'calling') await rpc.connected(signal);
  await new Promise(resolve => setTimeout(resolve, 300));
}
await rpc.close();
console.log('closed');
