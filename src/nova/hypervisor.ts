/** The hypervisor of this host, as nova-compute will see it through libvirt. */
import {hostname} from 'node:os';
import {ask} from './ask.ts';
import type {NodeName} from './decide.ts';

/**
 * The node's name: what the configuration says, else what libvirt calls this host, else the host's own full name, which is
 * where libvirt takes it from.
 */
export async function nodeName(configured: string | undefined, uri: string, signal: AbortSignal): Promise<NodeName> {
  if (configured !== undefined) return {name: configured, by: 'configuration'};
  const told = await ask('virsh', ['--readonly', '--quiet', '--connect', uri, 'hostname'], signal);
  if (told) return {name: told, by: 'libvirt'};
  const full = await ask('hostname', ['--fqdn'], signal);
  return {name: fullName(hostname(), full), by: 'host'};
}

/** libvirt's rule: a name with a dot is taken as it is, and a canonical name that is only the loopback's is not. */
export function fullName(short: string, canonical: string | undefined): string {
  if (short.includes('.') || short.startsWith('localhost')) return short;
  return canonical === undefined || canonical === '' || canonical.startsWith('localhost') ? short : canonical;
}

/** QEMU's version as Nova counts it, 7.2.1 as 7002001; 0 when there is no QEMU to ask. nova-compute writes what libvirt says. */
export async function qemuVersion(arch: string, signal: AbortSignal): Promise<number> {
  for (const binary of [`qemu-system-${arch}`, 'qemu-kvm', '/usr/libexec/qemu-kvm']) {
    const version = versionNumber((await ask(binary, ['--version'], signal)) ?? '');
    if (version > 0) return version;
  }
  return 0;
}

/** Of `QEMU emulator version 7.2.1 (…)`; 0 of anything else. */
export function versionNumber(text: string): number {
  const [, major, minor, micro] = /version (\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return major === undefined ? 0 : Number(major) * 1_000_000 + Number(minor) * 1000 + Number(micro ?? 0);
}

const architectures: Record<string, string> = {x64: 'x86_64', arm64: 'aarch64', ppc64: 'ppc64le', riscv64: 'riscv64'};

/** The machine's architecture by Nova's name. */
export const architecture = (): string => architectures[process.arch] ?? process.arch;
