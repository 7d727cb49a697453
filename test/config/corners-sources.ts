import type {Case} from './both.ts';

const text = (value: string) => `[DEFAULT]\ntext = ${value}\n`;
const same = (value: string) => `[DEFAULT]\nsame = ${value}\n`;
const path = (value: string) => `[DEFAULT]\npath = ${value}\n`;
const ab = ['--config-file=@/a.conf', '--config-file', '@/b.conf'];

/** Several files and directories, missing and forbidden ones, the usual ones, and the environment. */
export const sources: Record<string, Partial<Case>> = {
  'the later file wins': {files: {'a.conf': `${text('a')}${same('a')}`, 'b.conf': text('b')}, argv: ab},
  'the same file twice': {
    files: {'a.conf': '[DEFAULT]\nmany = a'},
    argv: ['--config-file=@/a.conf', '--config-file=@/a.conf'],
  },
  'multi values of several files': {
    files: {'a.conf': '[DEFAULT]\nmany = a\nmany = b', 'b.conf': '[DEFAULT]\nmany = c'},
    argv: ab,
  },
  'multi values under old names': {
    files: {
      'a.conf': '[alpha]\nmany = 1\nmany_old = 2\nmany = 3\n[beta]\nmany_older = 4\n',
      'b.conf': '[beta]\nmany_older = 5\n[alpha]\nmany_old = 6\n',
    },
    argv: ab,
  },
  'an old name in a later file': {
    files: {'a.conf': '[alpha]\nrenamed = n\n', 'b.conf': '[DEFAULT]\noldest = o\n'},
    argv: ab,
  },
  'references across files': {files: {'a.conf': `${text('$same')}${same('a')}`, 'b.conf': same('b')}, argv: ab},
  'a file after a directory': {
    files: {'d/z.conf': text('z'), 'a.conf': text('a')},
    argv: ['--config-dir=@/d', '--config-file=@/a.conf'],
  },
  'a directory after a file': {
    files: {'d/z.conf': text('z'), 'a.conf': text('a')},
    argv: ['--config-file=@/a.conf', '--config-dir', '@/d'],
  },
  'two directories': {
    files: {'d/z.conf': text('z'), 'e/a.conf': text('a')},
    argv: ['--config-dir=@/d', '--config-dir=@/e'],
  },
  'files of a directory in the order of their names': {
    files: {
      ...{'d/10.conf': text('10'), 'd/9.conf': text('9'), 'd/A.conf': same('A'), 'd/a.conf': same('a')},
      ...{'d/\u{1f600}.conf': path('astral'), 'd/\uff5e.conf': path('basic')},
    },
    argv: ['--config-dir=@/d'],
  },
  'hidden and other files of a directory': {
    files: {
      'd/.h.conf': text('h'),
      'd/b.conf~': 'bad',
      'd/c.CONF': 'bad',
      'd/conf': 'bad',
      'd/.conf': 'bad',
      'd/d.conf.conf': same('d'),
    },
    argv: ['--config-dir=@/d'],
  },
  'a directory among the files of a directory': {files: {'d/x.conf/': ''}, argv: ['--config-dir=@/d']},
  'an empty directory': {files: {'d/': ''}, argv: ['--config-dir=@/d']},
  'a missing file': {argv: ['--config-file=@/no.conf']},
  'a missing directory': {argv: ['--config-dir=@/no']},
  'a missing file and a broken one': {files: {'b.conf': 'x'}, argv: ab},
  'a missing file and a missing directory': {argv: ['--config-file=@/no.conf', '--config-dir=@/no']},
  'a broken file and a missing directory': {
    files: {'a.conf': Buffer.from([0xff])},
    argv: ['--config-file=@/a.conf', '--config-dir=@/no'],
  },
  'a directory as file': {files: {'d/': ''}, argv: ['--config-file=@/d']},
  'a file as directory': {files: {'a.conf': text('x')}, argv: ['--config-dir=@/a.conf']},
  'a file below a file': {files: {'a.conf': ''}, argv: ['--config-file=@/a.conf/b.conf']},
  'no path': {argv: ['--config-file=']},
  'no directory': {argv: ['--config-dir=']},
  'a forbidden file': {files: {'secret.conf': ''}, argv: ['--config-file=@/secret.conf'], unprivileged: true},
  'a forbidden and a missing file': {
    files: {'secret.conf': ''},
    argv: ['--config-file=@/secret.conf', '--config-file=@/no.conf'],
    unprivileged: true,
  },
  'a home directory': {
    files: {'home/a.conf': text('x'), 'home/b.conf': same('y')},
    argv: ['--config-file=~/a.conf', '--config-dir=~'],
  },
  'a directory that is no home': {argv: ['--config-file=~nobody-at-all/a.conf']},
  'the usual files': {
    files: {
      ...{
        'home/.nova/nova.conf': `${text('n')}${same('n')}`,
        'home/nova.conf': 'bad',
        'home/nova-compute.conf': same('c'),
      },
      'home/.nova/nova.conf.d/a.conf': path('d'),
    },
    usual: true,
  },
  'the usual files when one is named': {
    files: {
      ...{'home/.nova/nova.conf': text('n'), 'home/.nova/nova.conf.d/a.conf': `${path('d')}${same('d')}`},
      'a.conf': same('a'),
    },
    argv: ['--config-file=@/a.conf'],
    usual: true,
  },
  'the usual directories when one is named': {
    files: {'home/.nova/nova.conf': text('n'), 'home/.nova/nova.conf.d/a.conf': path('d'), 'e/a.conf': same('e')},
    argv: ['--config-dir=@/e'],
    usual: true,
  },
  'the usual files of a snap': {
    files: {
      'home/': '',
      'snap/etc/nova/nova.conf': text('s'),
      'common/etc/nova/nova.conf': text('c'),
      'snap/etc/nova/nova-compute.conf': same('s'),
    },
    env: {SNAP: '@/snap', SNAP_COMMON: '@/common'},
    usual: true,
  },
  'the environment beats files': {
    files: {'a.conf': `${text('f')}[alpha]\nsame = f\n`},
    argv: ['--config-file=@/a.conf'],
    env: {OS_DEFAULT__TEXT: 'e', OS_ALPHA__SAME: 'e'},
  },
  'the environment beats a bad value in a file': {
    files: {'a.conf': '[DEFAULT]\ncount = x'},
    argv: ['--config-file=@/a.conf'],
    env: {OS_DEFAULT__COUNT: '3'},
  },
  'a bad value in the environment': {
    files: {'a.conf': '[DEFAULT]\ncount = 3'},
    argv: ['--config-file=@/a.conf'],
    env: {
      ...{OS_DEFAULT__COUNT: '', OS_DEFAULT__FLAG: '', OS_DEFAULT__HOST: 'h\n', OS_DEFAULT__URL: 'http://h\n'},
      ...{OS_ALPHA__FLAG: ' true', OS_DEFAULT__API_PORT: '99999'},
    },
  },
  'references in the environment': {
    files: {'a.conf': text('f')},
    argv: ['--config-file=@/a.conf'],
    env: {OS_DEFAULT__SAME: '$text', OS_ALPHA__SAME: '$text', OS_BETA__TEXT: '$nope'},
  },
  'variables that mean nothing': {env: {os_default__text: 'a', OS_default__text: 'b', OS_TEXT: 'c', OS__TEXT: 'd'}},
  'old names in the environment do not count': {
    env: {OS_ALPHA__OLD_NAME: 'x', OS_OLD_GROUP__REGROUPED: 'x', OS_DEFAULT__OLDEST: 'x', OS_ALPHA__DA_SHED: 'x'},
  },
  'an old name in the environment, referred to': {
    files: {'a.conf': '[beta]\nself = $oldest\ntext = $beta.older\n'},
    argv: ['--config-file=@/a.conf'],
    env: {OS_DEFAULT__OLDEST: 'x', OS_BETA__OLDER: 'y'},
  },
  'an old name of a number in the environment, referred to': {
    files: {'a.conf': '[beta]\nself = $number\n'},
    argv: ['--config-file=@/a.conf'],
    env: {OS_DEFAULT__NUMBER: '007'},
  },
};
