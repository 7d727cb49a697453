/** What every program of cellar tells of its own process. */
import {Meters} from './meters.ts';
import {counter, gauge} from './metric.ts';

export const processMetrics = {
  cellar_build_info: gauge('Always 1; the versions that run.', {
    version: 'free',
    node: 'free',
    librbd: 'free',
    librados: 'free',
  }),
  cellar_process_start_time_seconds: gauge('When the process began, in seconds since 1970.'),
  cellar_process_cpu_seconds_total: counter('Processor time of the process so far, in user mode and in the kernel.'),
  cellar_process_resident_memory_bytes: gauge('Memory of the process that is in RAM.'),
  cellar_event_loop_delay_seconds: gauge(
    'How late the event loop was, in the worst ten seconds of the last minute: everything but the threads of the addon waits so long.',
    {statistic: ['p99', 'max']},
  ),
};

/** What is looked at when somebody asks. */
export type ProcessFacts = {
  version: string;
  /** Of a program that uses them. */
  librbd?: string;
  librados?: string;
  /** Milliseconds. */
  delay(): {p99Ms: number; maxMs: number};
};

/** The process's metrics, looked at with each scrape. `constant`: labels of every series. */
export function processMeters(
  {version, librbd = '', librados = '', delay}: ProcessFacts,
  constant: Record<string, string> = {},
): Meters<typeof processMetrics> {
  const meters = new Meters(processMetrics, constant);
  const started = Date.now() / 1000 - process.uptime();
  let counted = 0;
  meters.set('cellar_build_info', {version, node: process.versions.node, librbd, librados}, 1);
  meters.set('cellar_process_start_time_seconds', {}, started);
  meters.onScrape(() => {
    const {user, system} = process.cpuUsage();
    const {p99Ms, maxMs} = delay();
    meters.count('cellar_process_cpu_seconds_total', {}, (user + system) / 1e6 - counted);
    counted = (user + system) / 1e6;
    meters.set('cellar_process_resident_memory_bytes', {}, process.memoryUsage.rss());
    meters.set('cellar_event_loop_delay_seconds', {statistic: 'p99'}, p99Ms / 1000);
    meters.set('cellar_event_loop_delay_seconds', {statistic: 'max'}, maxMs / 1000);
  });
  return meters;
}
