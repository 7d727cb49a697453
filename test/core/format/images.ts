/** Images made by QEMU's and Debian's own tools, and what the inspector says of them. */
import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Inspector, judgeFormat, type Report, type Verdict} from '../../../src/core/format/index.ts';
import {cleanEnv} from '../../lab/run.ts';

const MiB = 1024 * 1024;

/** A directory that is gone when the process is. */
export function tempDir(): string {
  const path = mkdtempSync(join(tmpdir(), 'cellar-format-'));
  process.once('exit', () => rmSync(path, {recursive: true, force: true}));
  return path;
}

export const qemuImg = (...args: string[]): string =>
  execFileSync('qemu-img', args, {env: cleanEnv(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});

/** Bytes that look random and are the same each time. */
export function noise(length: number, seed = 'cellar'): Buffer {
  const blocks: Buffer[] = [];
  for (let n = 0; n * 64 < length; n++) blocks.push(createHash('sha512').update(`${seed} ${n}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** A disk of 4 MiB: some data, a hole, some data that compresses, zeros. */
export function disk(): Buffer {
  const bytes = Buffer.alloc(4 * MiB);
  noise(300_000).copy(bytes, 0);
  bytes.fill('compressible ', 2 * MiB, 2 * MiB + 200_000);
  return bytes;
}

export class Images {
  readonly directory = tempDir();
  readonly raw: string;

  constructor(bytes = disk()) {
    this.raw = this.write('disk.raw', bytes);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, bytes: Uint8Array | string): string {
    writeFileSync(this.path(name), bytes);
    return this.path(name);
  }

  /** The disk in this format of qemu-img's, with these options. */
  convert(format: string, options = '', ...args: string[]): Buffer {
    const target = this.path(`converted.${format}`);
    rmSync(target, {force: true});
    const given = options === '' ? [] : ['-o', options];
    qemuImg('convert', ...args, '-f', 'raw', '-O', format, ...given, this.raw, target);
    return readFileSync(target);
  }

  /** An empty disk. */
  create(format: string, size: string, options = '', ...args: string[]): Buffer {
    const target = this.path(`created.${format}`);
    rmSync(target, {force: true});
    qemuImg(
      'create',
      '-q',
      '-f',
      format,
      ...(options === '' ? [] : ['-o', options]),
      ...args,
      target,
      ...(size === '' ? [] : [size]),
    );
    return readFileSync(target);
  }

  iso(...args: string[]): Buffer {
    const tree = this.path('tree');
    mkdirSync(tree, {recursive: true});
    writeFileSync(join(tree, 'hello.txt'), 'hello');
    const target = this.path('disc.iso');
    execFileSync('genisoimage', ['-quiet', '-r', ...args, '-o', target, tree], {env: cleanEnv(), stdio: 'ignore'});
    return readFileSync(target);
  }
}

/** The report of these bytes, pushed in pieces of these sizes in turn; without sizes in one piece. */
export function inspect(bytes: Uint8Array, sizes: number[] = [Math.max(1, bytes.length)]): Report {
  const inspector = new Inspector();
  for (let at = 0, step = 0; at < bytes.length; step++) {
    const size = sizes[step % sizes.length] ?? 1;
    inspector.push(bytes.subarray(at, at + size));
    at += size;
  }
  return inspector.finish();
}

export const judge = (declared: string, bytes: Uint8Array): Verdict => judgeFormat(declared, inspect(bytes));

/** Why it is refused; fails when it is not. */
export function refusal(declared: string, bytes: Uint8Array): string {
  const verdict = judge(declared, bytes);
  if (verdict.ok) throw new Error(`${declared} is not refused: ${verdict.why}`);
  return verdict.why;
}

/** The rules that a file of this format breaks. */
export const broken = (format: string, bytes: Uint8Array): string[] =>
  inspect(bytes)
    .detections.filter(detection => detection.format === format)
    .flatMap(({findings}) => findings.map(({rule}) => rule));

/** A copy with some bytes changed. */
export function patched(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}
