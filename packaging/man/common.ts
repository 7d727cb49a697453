/** What several pages say. */
import {bold, italic, section, tagged} from './roff.ts';

export const filesSection = section(
  'FILES',
  tagged(
    italic('/etc/nova/nova.conf'),
    "Nova's own configuration, which is read first. `nova-compute.conf` and the directories `nova.conf.d` and `nova-compute.conf.d` beside it are read too.",
  ),
  tagged(
    italic('/etc/cellar/cellar.conf'),
    "The configuration of cellar: see `cellar.conf`(5). An upgrade never changes it. It may hold passwords: it is root's and of the group `nova` (on a host of cinder-volume let it be `cinder`), with mode 0640.",
  ),
  tagged(italic('/etc/cellar/cellar.conf.d/*.conf'), 'Further files, in the order of their names; later ones win.'),
  tagged(italic('/usr/share/doc/cellar-common/examples/cellar.conf'), 'A sample with every option and its default.'),
);

/** `cellar`(1), but not the page it stands on. */
export const seeAlso = (self: string): string => {
  const pages = ['cellar(1)', 'cellar.conf(5)', 'cellar-agent(8)', 'cellar-registrar(8)'];
  const others = pages.filter(page => page !== self).map(page => page.replace(/^(.*)(\(\d\))$/, '.BR $1 $2'));
  return section('SEE ALSO', `${others.join(' ,\n')}\n.PP\n${italic('/usr/share/doc/cellar-common/')}\n`);
};

/** Options of the program's own usage text: lines of two spaces, `--name VALUE`, and what it does. */
export const optionsOfUsage = (usage: string): string =>
  [...usage.matchAll(/^ {2}(--\S+)( [A-Z]+)? {2,}(.*)$/gm)]
    .map(([, name = '', value = '', help = '']) =>
      tagged(`${bold(name)}${value === '' ? '' : ` ${italic(value.trim())}`}`, `${sentence(help)}.`),
    )
    .join('');

export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
