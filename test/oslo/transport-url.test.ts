import {execFileSync} from 'node:child_process';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {brokersOf} from '../../src/oslo/brokers.ts';
import {parseTransportUrl, redacted} from '../../src/oslo/transport-url.ts';

/** What both read alike, errors included. */
const urls = [
  'rabbit://nova:pw@10.0.0.1:5672/cell1',
  'rabbit://nova:pw@10.0.0.1:5672/',
  'rabbit://nova:pw@10.0.0.1:5672',
  'rabbit://nova:pw@10.0.0.1/cell1',
  'rabbit://nova:pw@10.0.0.1:/cell1',
  'rabbit://nova:pw@host:0/cell1',
  'rabbit://nova:pw@host:99999/cell1',
  'rabbit://host',
  'rabbit://host:5673/v',
  'rabbit://',
  'rabbit:',
  'rabbit:/v',
  'rabbit:///v',
  'rabbit://:5672/v',
  'rabbit://nova@host/v',
  'rabbit://nova:@host/v',
  'rabbit://:pw@host/v',
  'rabbit://:@host/v',
  'rabbit://@host/v',
  'rabbit://nova:pw@/v',
  'rabbit://nova:p:w@host/v',
  'rabbit://nova:p@w@host/v',
  'rabbit://no%40va:p%2Fw%3a%2C%23@host/v',
  'rabbit://n%C3%B6va:p%E2%82%AC@host/v',
  'rabbit://nova:%C3x%A9%FF@host/v',
  'rabbit://nova:100%@host/v',
  'rabbit://nova:a+b@host/a+b',
  'rabbit://nova:pw@h1:5672,nova:pw@h2:5673,nova:pw@h3/v',
  'rabbit://nova:pw@h1:5672,h2:5673/v',
  'rabbit://h1,,h2,/v',
  'rabbit://nova:a,b@h1/v',
  'rabbit://nova:pw@[::1]:5672/v',
  'rabbit://nova:pw@[::1]/v',
  'rabbit://nova:pw@[fd00::1]:5672,nova:pw@[fd00::2]:5673/v',
  'rabbit://[::1]:/v',
  'rabbit://nova:pw@[::1/v',
  'rabbit://nova:pw@::1]:5672/v',
  'rabbit://nova:pw@host:port/v',
  'rabbit://nova:pw@host: 5672 /v',
  'rabbit://nova:pw@host:5_672/v',
  'rabbit://nova:pw@host:+5672/v',
  'rabbit://nova:pw@host:0x50/v',
  'rabbit://nova:pa/ss@host/v',
  'rabbit://nova:12/34@host/v',
  'rabbit://nova:pw@host//',
  'rabbit://nova:pw@host//v',
  'rabbit://nova:pw@host/%2F',
  'rabbit://nova:pw@host/a%20b',
  'rabbit://nova:pw@host/a/b/',
  'rabbit://nova:pw@host/v;x=1',
  'rabbit://nova:pw@host/a;b/c',
  'rabbit://nova:pw@host/a%3Fb',
  'rabbit://nova:pw@host/a%23b',
  'rabbit://nova:pw@host/a%2541b',
  'rabbit://nova:pw@host/;',
  'rabbit://nova:pw@host/v?ssl=1',
  'rabbit://nova:pw@host/v?ssl=1&ssl_ca_file=/etc/ca%20file.pem&heartbeat_rate=3',
  'rabbit://nova:pw@host/v?a=1&a=2&b=&c&=d&e=x=y+z&&',
  'rabbit://nova:pw@host?ssl=1',
  'rabbit://nova:pw@host/v#fragment',
  'rabbit://nova:pw@host/v?a=1#b?c=2',
  'rabbit://nova:pw#x@host/v',
  'rabbit://nova:pw?x@host/v',
  'RABBIT://Nova:Pw@Host/V',
  'kombu://nova:pw@host/v',
  'kombu+amqp://nova:pw@host/v',
  'amqp://nova:pw@host/v',
  'fake://',
  'none:///',
  'host:5672/v',
  'nova:pw@host/v',
  '//nova:pw@host/v',
  '1rabbit://host/v',
  'ra_bbit://host/v',
  'host',
  ' rabbit://nova:pw@host/v',
  '\u0000\u001f rabbit://host/v',
  'rab\tbit://no\nva:p\rw@host/v ',
  'rabbit://nova:pw@ho\u2100st/v',
  'rabbit://nova:pw@\u212bngstrom/v',
  'rabbit://növa:pẅ@hōst/v€',
  'rabbit://nova:pw@host/v%',
  'rabbit://nova:pw@host/%zz',
];

test('a transport_url is read as oslo.messaging reads it', t => {
  const answers = ask(urls);
  for (const [index, url] of urls.entries()) {
    t.deepEqual(ours(url), answers[index]?.parsed ?? 'error', JSON.stringify(url));
  }
});

test('the brokers are those that the rabbit driver connects to', t => {
  let compared = 0;
  for (const [index, {kombu}] of ask(urls).entries()) {
    const url = urls[index] ?? '';
    // Where Nova itself cannot connect, because kombu does not read its own URL, ours may.
    if (!Array.isArray(kombu) || !/^\s*(rabbit|kombu\+amqp):/i.test(url) || broken.has(url)) continue;
    compared += 1;
    const brokers = brokersOf(parseTransportUrl(url));
    t.deepEqual(
      brokers.map(({hostname, port, username, password, virtualHost}) => [
        hostname.toLowerCase(),
        port,
        username,
        password,
        virtualHost,
      ]),
      kombu.map(one => [
        one.hostname,
        one.port,
        one.userid ?? 'guest',
        one.password ?? 'guest',
        one.virtual_host ?? '/',
      ]),
      JSON.stringify(url),
    );
  }
  t.true(compared >= 25, String(compared));
});

/** Not of RabbitMQ, no address, or half a password: refused, and nothing of it said. */
const broken = new Set([
  'rabbit://nova:pw@host:99999/cell1',
  'rabbit://nova:12/34@host/v',
  'rabbit://nova:pw#x@host/v',
  'rabbit://nova:pw?x@host/v',
]);

test('what cannot be a broker is refused', t => {
  for (const url of [...broken, 'amqp://nova:s3cr3t@host/v', 'fake://', 'rabbit://u:s3cr3t@[::zz]/v']) {
    const error = t.throws(() => brokersOf(parseTransportUrl(url)), {instanceOf: CellarError}, url);
    t.is(error.kind, 'config');
    t.notRegex(`${error.message} ${error.hint}`, /s3cr3t|12|34|pw/, url);
  }
});

test('no error and no redacted form holds a password', t => {
  const passwords = [
    's3cr3t',
    's3cr3t/x',
    's3cr3t#x',
    's3cr3t?x',
    's3cr3t:x',
    's3cr3t@x',
    's3cr3t,x',
    's3cr3t[x',
    's3cr3t%2fx',
    '[s3cr3t]',
    's3cr3t\u2100',
  ];
  for (const password of passwords) {
    for (const url of [
      `rabbit://nova:${password}@h1:5672/v`,
      `rabbit://nova:${password}@h1,nova:${password}@h2:1/v`,
      `nova:${password}@h`,
    ]) {
      let said = '';
      try {
        const parsed = parseTransportUrl(url);
        said = redacted(parsed);
        brokersOf(parsed);
      } catch (error) {
        said += `${(error as CellarError).message} ${(error as CellarError).hint}`;
      }
      // With a comma in it, its first half is read as a host's name, and nobody can tell.
      if (!password.includes(',')) t.notRegex(said, /s3cr3t/, url);
    }
  }
});

test('the redacted form keeps what helps', t => {
  t.is(
    redacted(parseTransportUrl('rabbit://n%40:pw@h1:1,h2,:x@[::1]:3/v?ssl_key_password=x')),
    'rabbit://n%40:***@h1:1,h2,:***@[::1]:3/v',
  );
});

type Broker = {
  hostname: string;
  port: number;
  userid: string | null;
  password: string | null;
  virtual_host: string | null;
};
type Answer = {parsed?: unknown; kombu?: Broker[] | string};

function ask(list: string[]): Answer[] {
  const script = new URL('transport_url.py', import.meta.url).pathname;
  const input = list.map(url => `${JSON.stringify(url)}\n`).join('');
  return execFileSync('/usr/bin/python3', [script], {input, encoding: 'utf8'})
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Answer);
}

function ours(url: string): unknown {
  try {
    const {transport, hosts, virtualHost, query} = parseTransportUrl(url);
    const list = hosts.map(({hostname, port, username, password}) =>
      [hostname, port, username, password].map(one => one ?? null),
    );
    return {transport, hosts: list, virtualHost: virtualHost ?? null, query};
  } catch {
    return 'error';
  }
}
