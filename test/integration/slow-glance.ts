import {startProxy} from '../helpers/proxy.ts';
import {openstack} from '../lab/shared.ts';

const mib = 1024 * 1024;

/** Glance's answer slowed down: the first 16 MiB of an image at once, the rest after `open`. `cut` breaks off those that are halted. */
export async function slowGlance() {
  const proxy = await startProxy(openstack().glanceUrl);
  let gate = Promise.withResolvers<'go' | 'cut'>();
  proxy.fault = ({path}, _, upstream) => {
    if (!path.endsWith('/file')) return false;
    upstream(async (answer, response) => {
      response.writeHead(200, answer.headers);
      let sent = 0;
      try {
        for await (const chunk of answer) {
          if (sent > 16 * mib && (await gate.promise) === 'cut') return void response.destroy();
          sent += chunk.length;
          if (response.destroyed) return;
          response.write(chunk);
        }
        response.end();
      } catch {
        response.destroy(); // the agent went away in mid-body, which is the point
      }
    });
    return true;
  };
  const open = () => gate.resolve('go');
  const cut = () => {
    gate.resolve('cut');
    gate = Promise.withResolvers();
  };
  return {proxy, open, cut, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]()};
}
