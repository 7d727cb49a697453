/** What one run of qemu-img may use. It reads a file that a stranger made; whatever is in there, it costs no more than this. */
export type QemuLimits = {
  /** Bytes of address space (RLIMIT_AS). */
  addressSpace: number;
  /** Seconds of CPU time (RLIMIT_CPU). */
  cpuSeconds: number;
  /** Milliseconds until it is killed. */
  timeout: number;
  /** 0 to 19: how far behind the guests of this host it stands. */
  niceness: number;
};

/** For looking at a file. Nova gives the same CPU time and memory. */
export const checkLimits: QemuLimits = {addressSpace: 2 * 2 ** 30, cpuSeconds: 30, timeout: 120_000, niceness: 10};

/** For converting: librbd alone takes more than half a GiB of address space, for the stacks and arenas of its threads. */
export const convertLimits: QemuLimits = {
  addressSpace: 2 * 2 ** 30,
  cpuSeconds: 3600,
  timeout: 3_600_000,
  niceness: 10,
};
