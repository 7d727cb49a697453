/**
 * The network service of a lab whose servers have no network: it answers every list with an empty one, but that of its
 * extensions, where Nova looks before it moves a server to another cell. Nova asks for the ports of a server whenever it
 * shows, lists or deletes one.
 *
 *   node network-stub.ts PORT
 */
import {createServer} from 'node:http';

const server = createServer((request, response) => {
  const [, collection, ...rest] = (request.url ?? '').split('?')[0]?.split('/').filter(Boolean) ?? [];
  const listed = request.method === 'GET' && collection !== undefined && rest.length === 0;
  response.writeHead(listed ? 200 : 404, {'Content-Type': 'application/json', Connection: 'close'});
  const rows = collection === 'extensions' ? [{alias: 'binding-extended'}] : [];
  response.end(JSON.stringify(listed ? {[collection.replaceAll('-', '_')]: rows} : {}));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
