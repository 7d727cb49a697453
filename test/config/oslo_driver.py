"""Reads configurations with the real oslo.config, one JSON request a line, one JSON answer a line.

{"table": id, "options": [...]}     defines options; answered {}
{"case": {"table", "argv", ...}}    answered {"load": kind} or {"values": {"[group] name": value or {"error": kind}}}
"""
import json
import logging
import os
import sys
import warnings

try:
    from oslo_config import cfg, types
except ImportError as error:
    sys.stderr.write('%s: apt-get install python3-oslo.config\n' % error)
    sys.exit(3)

logging.disable(logging.CRITICAL)
warnings.simplefilter('ignore')

# A value that refers to itself ends as RecursionError; sooner is as good.
sys.setrecursionlimit(300)

TABLES = {}


def main():
    out = os.fdopen(os.dup(1), 'w')
    # argparse and oslo.config print as they like; only answers may reach the other side.
    sys.stdout = sys.stderr = open(os.devnull, 'w')
    for line in sys.stdin:
        request = json.loads(line)
        if 'table' in request:
            TABLES[request['table']] = request['options']
            answer = {}
        else:
            answer = as_user(request['case'])
        out.write(json.dumps(answer) + '\n')
        out.flush()


def as_user(case):
    if not case.get('unprivileged') or os.geteuid() != 0:
        return answer_case(case)
    os.seteuid(65534)
    try:
        return answer_case(case)
    finally:
        os.seteuid(0)


def answer_case(case):
    options = TABLES[case['table']]
    set_environment(case['env'])
    conf = cfg.ConfigOpts()
    for option in options:
        register(conf, option)
    usual = None if case.get('usual') else []
    try:
        conf(case['argv'], project='nova', prog='nova-compute',
             default_config_files=usual, default_config_dirs=usual)
    except (Exception, SystemExit) as error:
        return {'load': load_kind(error)}
    register_outside(conf, options)
    values = {}
    for option in options:
        key = '[%s] %s' % (option['group'], option['name'])
        group = None if option['group'] == 'DEFAULT' else conf._get_group(option['group'])
        try:
            values[key] = encode(conf._get(option['name'], group))
        except Exception as error:
            values[key] = {'error': read_kind(error)}
    return {'values': values}


def set_environment(env):
    for name in [n for n in os.environ if n.startswith(('OS_', 'SNAP')) or n == 'HOME']:
        del os.environ[name]
    os.environ.update(env)


def register(conf, option):
    dep = [cfg.DeprecatedOpt(d['name'], group=d.get('group')) for d in option['deprecated'] if 'name' in d]
    kwargs = {'default': option.get('default'), 'deprecated_opts': dep}
    for old in option['deprecated']:
        if 'name' not in old:
            kwargs['deprecated_group'] = old['group']
    kind = make_type(option['type'])
    if option['type']['kind'] == 'multi':
        opt = cfg.MultiOpt(option['name'], item_type=kind, **kwargs)
    else:
        opt = cfg.Opt(option['name'], type=kind, **kwargs)
    group = None if option['group'] == 'DEFAULT' else option['group']
    conf.register_opt(opt, group=group, cli=option.get('cli', False))


def make_type(spec):
    kind = spec['kind']
    bounds = {k: spec[k] for k in ('min', 'max') if k in spec}
    if kind in ('multi', 'list', 'dict'):
        item = make_type(spec['item'])
        return {'multi': lambda: item, 'list': lambda: types.List(item), 'dict': lambda: types.Dict(item)}[kind]()
    if kind == 'choice':
        return types.String(choices=spec['choices'])
    plain = {'string': types.String, 'boolean': types.Boolean, 'host': types.HostDomain, 'uri': types.URI}
    if kind in plain:
        return plain[kind]()
    return {'integer': types.Integer, 'float': types.Float, 'port': types.Port}[kind](**bounds)


def register_outside(conf, options):
    """Nova knows more options than the table: let oslo.config know every other key that stands in a file."""
    known = set()
    for option in options:
        known.add((option['group'], option['name']))
        for old in option['deprecated']:
            known.add((old.get('group', option['group']), old.get('name', option['name'])))
    for sections in conf._namespace._normalized:
        for section, keys in sections.items():
            for key in keys:
                if (section, key) in known or key.startswith('_') or '.' in key or '-' in key:
                    continue
                if section == 'DEFAULT' and key in conf.disallow_names:
                    continue
                conf.register_opt(cfg.StrOpt(key), group=None if section == 'DEFAULT' else section)


def load_kind(error):
    for kind, classes in (
            ('syntax', cfg.ConfigFileParseError), ('encoding', UnicodeDecodeError),
            ('missing', cfg.ConfigFilesNotFoundError), ('denied', cfg.ConfigFilesPermissionDeniedError),
            ('no-directory', cfg.ConfigDirNotFoundError), ('unreadable', OSError)):
        if isinstance(error, classes):
            return kind
    return 'unexpected %r' % error


def read_kind(error):
    if isinstance(error, ValueError):
        return 'value'
    references = (cfg.NoSuchOptError, cfg.NoSuchGroupError, cfg.TemplateSubstitutionError, RecursionError)
    return 'reference' if isinstance(error, references) else 'unexpected %r' % error


def encode(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {'int': str(value)}
    if isinstance(value, float):
        return {'float': repr(value)}
    if isinstance(value, list):
        return [encode(one) for one in value]
    return {'dict': [[key, encode(one)] for key, one in value.items()]}


main()
