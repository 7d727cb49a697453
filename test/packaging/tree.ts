/** A clean Debian tree, the same release as this machine's, and commands that run with it as their root directory. */
import {type ChildProcess, spawn} from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import {homedir, tmpdir} from 'node:os';
import {join} from 'node:path';
import {run} from '../lab/run.ts';
import {contained, runContained} from './contained.ts';

export type Tree = AsyncDisposable & {
  root: string;
  /** Runs a command as root in the tree to its end; resolves its stdout. */
  run(command: string[], options?: {timeoutMs?: number; env?: Record<string, string>}): Promise<string>;
  /** `apt-get install`; what it downloads is kept for the next tree. Paths are those in the tree. */
  install(...packages: string[]): Promise<void>;
  /** Starts one that goes on. It ends with this process, and at the latest when the tree is disposed of. */
  start(command: string[]): ChildProcess;
};

const cacheDays = 7;
/** One Debian, kept for the next run: its packages change seldom, and making it takes longer than all that is tested. */
const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'cellar-test');

const archives = join(cache, 'archives');

/** A fresh copy of `minbase`, with the host's Debian sources. */
export async function makeTree(): Promise<Tree> {
  if (process.getuid?.() !== 0) throw new Error('a Debian tree can only be made and entered by root');
  const tar = await minbase();
  const root = mkdtempSync(join(tmpdir(), 'cellar-tree-'));
  const children = new Set<ChildProcess>();
  try {
    await run('tar', ['--extract', '--file', tar, '--directory', root, '--numeric-owner']);
  } catch (error) {
    rmSync(root, {recursive: true, force: true});
    throw error;
  }
  cpSync('/etc/resolv.conf', join(root, 'etc/resolv.conf'), {dereference: true});

  const runInside: Tree['run'] = (command, {timeoutMs = 300_000, env = {}} = {}) => {
    return runContained(inside(root, command), {
      timeoutMs,
      env: {HOME: '/root', DEBIAN_FRONTEND: 'noninteractive', ...env},
    });
  };
  return {
    root,
    run: runInside,
    install: (...packages) => install(root, runInside, packages),
    start(command) {
      const [first = '', ...rest] = [...contained, ...inside(root, command)];
      const env = {PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8'};
      const child = spawn(first, rest, {env, stdio: ['ignore', 'pipe', 'pipe']});
      children.add(child);
      child.on('close', () => children.delete(child));
      return child;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...children].map(child => {
          const closed = new Promise(resolve => child.once('close', resolve));
          child.kill('SIGKILL');
          return closed;
        }),
      );
      rmSync(root, {recursive: true, force: true});
    },
  };
}

async function install(root: string, runInside: Tree['run'], packages: string[]): Promise<void> {
  const here = join(root, 'var/cache/apt/archives');
  if (existsSync(archives)) cpSync(archives, here, {recursive: true});
  const command = ['apt-get', 'install', '-y', '--no-install-recommends', '-o', 'DPkg::Options::=--force-unsafe-io'];
  try {
    await runInside([...command, ...packages]);
  } catch {
    await runInside(['apt-get', 'update', '-q']); // the mirror may have newer packages than when the tree was made
    await runInside([...command, ...packages]);
  }
  mkdirSync(archives, {recursive: true});
  for (const name of readdirSync(here).filter(each => each.endsWith('.deb'))) {
    const kept = join(archives, name);
    if (existsSync(kept)) continue;
    copyFileSync(join(here, name), `${kept}.${process.pid}`);
    renameSync(`${kept}.${process.pid}`, kept);
  }
}

/** The command with the tree as its root directory, and a little of /dev. */
function inside(root: string, command: string[]): string[] {
  const mounts = `set -e
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount -t tmpfs -o mode=0755 dev "$0/dev"
for each in null zero full random urandom tty; do touch "$0/dev/$each"; mount --bind "/dev/$each" "$0/dev/$each"; done
ln -s /proc/self/fd "$0/dev/fd"
exec chroot "$0" "$@"`;
  return ['sh', '-c', mounts, root, ...command];
}

async function minbase(): Promise<string> {
  const {suite, lines} = await sources();
  const tar = join(cache, `${suite}-${process.arch}.tar`);
  if (existsSync(tar) && Date.now() - statSync(tar).mtimeMs < cacheDays * 86_400_000) return tar;
  mkdirSync(cache, {recursive: true});
  rmSync(archives, {recursive: true, force: true});
  const made = `${tar}.${process.pid}`;
  try {
    const options = [
      '--quiet',
      '--mode=root',
      '--format=tar',
      '--variant=minbase',
      '--dpkgopt=force-unsafe-io',
      '--skip=cleanup/apt/lists',
    ];
    await runContained(['mmdebstrap', ...options, suite, made, ...lines], {timeoutMs: 540_000});
    renameSync(made, tar);
  } finally {
    rmSync(made, {force: true});
  }
  return tar;
}

/** Lines of a sources.list: where this machine gets Debian from, its own release first. */
async function sources(): Promise<{suite: string; lines: string[]}> {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)';
  const text = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const debian = new RegExp(`/debian(-security)?/? ${suite}(-security|-updates)? main$`);
  const lines = [...new Set(text.split('\n'))].filter(line => debian.test(line)).map(line => `deb ${line}`);
  if (suite === '' || lines.length === 0) throw new Error('apt knows no Debian mirror for this release');
  return {suite, lines};
}
