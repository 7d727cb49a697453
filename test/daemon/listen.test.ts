/** An agent that cannot have its sockets ends; nothing of it stays behind. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {type AddressInfo, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test from 'ava';

const main = new URL('../../src/daemon/main.ts', import.meta.url).pathname;

test("the facade's address is taken: the agent says so, and ends", async t => {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-listen-'));
  t.teardown(() => rmSync(dir, {recursive: true}));
  const other = createServer();
  await once(other.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => other.close());
  const {port} = other.address() as AddressInfo;
  const [file, socket] = [join(dir, 'cellar.conf'), join(dir, 'agent.sock')];
  writeFileSync(
    file,
    `[agent]\nsocket = ${socket}\n[facade]\nlisten = 127.0.0.1:${port}\nupstream = http://127.0.0.1:9\n[image_store]\nspool_dir = ${dir}\n`,
  );
  const agent = spawn(process.execPath, [main, '--config-file', file]);
  t.teardown(() => agent.kill('SIGKILL'));
  const said = text(agent.stderr);
  const [code] = await once(agent, 'exit');
  t.not(code, 0);
  t.true((await said).includes(`the facade cannot listen on 127.0.0.1:${port}`), await said);
  t.false(existsSync(socket));
});
