type Environment = Record<string, string | undefined>;

/** What systemd has told a service about itself. */
export type ServiceEnvironment = {
  /** Where it listens; undefined: nobody does. */
  socket: string | undefined;
  /** ms within which it wants each sign of life; undefined: it wants none. */
  watchdog: number | undefined;
};

const names = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;

/** Takes systemd's variables out of the environment, so that no child believes that they are meant for it. */
export function takeServiceEnvironment(env: Environment = process.env, pid: number = process.pid): ServiceEnvironment {
  const {NOTIFY_SOCKET: socket = '', WATCHDOG_USEC, WATCHDOG_PID = String(pid)} = env;
  for (const name of names) delete env[name];
  // of other kinds (vsock) a service in a virtual machine would be told: none of ours
  const known = /^[/@]./.test(socket) ? socket : undefined;
  const microseconds = Number(WATCHDOG_USEC);
  const watched = known !== undefined && WATCHDOG_PID === String(pid) && microseconds > 0;
  return {socket: known, watchdog: watched ? microseconds / 1000 : undefined};
}
