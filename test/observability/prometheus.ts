/** A real Prometheus that scrapes one agent, for as long as a test lasts. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

export type Sample = {metric: Record<string, string>; value: [number, string]};

export type Rule = {name: string; type: string; health: string; lastError?: string};

export type Prometheus = AsyncDisposable & {
  /** Fails with Prometheus' own words when the expression is wrong. */
  query(expression: string): Promise<Sample[]>;
  rules(): Promise<Rule[]>;
};

/** Starts it, with nothing in it; disposing of it ends it and removes what it wrote. `target` is host:port. */
export async function startPrometheus(target: string, listen: string, rules: string): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-prometheus-'));
  writeFileSync(join(dir, 'prometheus.yml'), configuration(target, rules));
  const args = [
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=${listen}`,
    '--log.level=warn',
  ];
  const child = spawn('prometheus', args, {stdio: ['ignore', 'ignore', 'pipe']});
  let said = '';
  child.stderr.on('data', chunk => {
    said += chunk;
  });
  const ended = once(child, 'close');
  const ask = async (path: string) => {
    const answer = await fetch(`http://${listen}/api/v1/${path}`, {signal: AbortSignal.timeout(20_000)});
    const {status, data, error} = (await answer.json()) as {status: string; data: never; error?: string};
    if (status !== 'success') throw new Error(`Prometheus: ${error}`);
    return data;
  };
  const end = async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(dir, {recursive: true, force: true});
  };
  try {
    await until(60_000, async () => {
      if (child.exitCode !== null) throw new Error(`prometheus has ended: ${said}`);
      return fetch(`http://${listen}/-/ready`).then(
        ({ok}) => ok,
        () => false,
      );
    });
  } catch (error) {
    await end();
    throw error;
  }
  return {
    query: async expression =>
      ((await ask(`query?query=${encodeURIComponent(expression)}`)) as {result: Sample[]}).result,
    rules: async () => ((await ask('rules')) as {groups: {rules: Rule[]}[]}).groups.flatMap(group => group.rules),
    [Symbol.asyncDispose]: end,
  };
}

/** Looks until it holds; fails after so many ms. */
export async function until(ms: number, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`);
    await sleep(200);
  }
}

const configuration = (target: string, rules: string) => `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['${rules}']
scrape_configs:
  - job_name: cellar-agent
    static_configs: [{targets: ['${target}']}]
`;
