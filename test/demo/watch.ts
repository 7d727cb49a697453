/** A real Prometheus that scrapes the demo's agent while it works, and the dashboard's queries at the end. */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {deadUrl} from '../helpers/with-server.ts';
import type {OpenStack} from '../lab/openstack.ts';
import {dashboardQueries, unanswered} from '../observability/dashboard.ts';
import {type Prometheus, startPrometheus, until} from '../observability/prometheus.ts';
import {step} from './say.ts';

/** How the dashboard's queries ended; `without`: those that no number came for. */
export type Dashboard = {queries: number; without: string[]};

export type Watch = AsyncDisposable & {
  /** The file that makes an agent listen for Prometheus, and for Nova. */
  conf: string;
  /** Comes back when the agent's first numbers were taken: a rate has no beginning without them, and Prometheus takes its time. */
  scraped(): Promise<void>;
  /** Asks the agent's facade for an image as Nova does. */
  show(image: string, openstack: OpenStack): Promise<void>;
  /** Asks until every query has an answer, or for a minute. */
  dashboard(): Promise<Dashboard>;
};

/** `base`: where the agent's file may be written. */
export async function startWatch(base: string): Promise<Watch> {
  const [metrics, facade, web] = [await address(), await address(), await address()];
  const conf = join(base, 'watch.conf');
  const agent = `[agent]\nmetrics_listen = ${metrics}\n[facade]\nlisten = ${facade}\n[image_store]\njanitor_interval = 10\n`;
  writeFileSync(conf, agent);
  const rules = fileURLToPath(new URL('../../packaging/prometheus/cellar.rules.yml', import.meta.url));
  const prometheus = await startPrometheus(metrics, web, rules);
  return {
    conf,
    scraped: () =>
      step("waiting for Prometheus' first look at the agent", () =>
        until(60_000, async () => (await prometheus.query('cellar_build_info')).length > 0),
      ),
    show: (image, openstack) =>
      step("asking the agent's facade for the image, as Nova does", async () => {
        const headers = {'X-Auth-Token': await openstack.token(openstack.admin)};
        const {status} = await fetch(`http://${facade}/v2/images/${image}`, {headers});
        if (status !== 200) throw new Error(`the facade answered ${status}`);
      }),
    dashboard: () => step("asking Prometheus all that Grafana's dashboard asks", () => ask(prometheus)),
    [Symbol.asyncDispose]: () => prometheus[Symbol.asyncDispose](),
  };
}

/** Rates are of the whole demo, which may take a while on a slow machine. */
async function ask(prometheus: Prometheus): Promise<Dashboard> {
  const queries = dashboardQueries('1h');
  let without: string[] = queries;
  const all = async () => {
    without = await unanswered(prometheus, queries);
    return without.length === 0;
  };
  await until(60_000, all).catch(() => {});
  return {queries: queries.length, without};
}

const address = async () => (await deadUrl()).slice('http://'.length);
