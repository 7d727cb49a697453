/** A unix socket that datagrams come to, as systemd's does: Node has none, so Python holds it. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';

const program = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind('\\0' + path[1:] if path[0] == '@' else path)
print('bound', flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        print(json.dumps(s.recv(65536).decode()), flush=True)
`;

export type Receiver = AsyncDisposable & {
  path: string;
  /** The next `count` datagrams; waits for them. */
  take(count: number): Promise<string[]>;
};

/** `name` with an @ in front is of the abstract namespace. */
export async function receive(name?: string): Promise<Receiver> {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-service-'));
  const path = name ?? join(dir, 'notify');
  const child = spawn('/usr/bin/python3', ['-c', program, path], {stdio: ['pipe', 'pipe', 'inherit']});
  const closed = once(child, 'close');
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  await lines.next();
  return {
    path,
    async take(count) {
      child.stdin.write(`${count}\n`);
      const taken: string[] = [];
      while (taken.length < count) taken.push(JSON.parse(String((await lines.next()).value)));
      return taken;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await closed;
      rmSync(dir, {recursive: true});
    },
  };
}
