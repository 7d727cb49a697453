"""Reads transport URLs with the real oslo.messaging: one JSON text a line, one JSON answer a line.

Answered {"parsed": {...}, "kombu": {...} or null} or {"error": exception class}; `kombu` is what the rabbit driver would connect to.
"""
import json
import logging
import random
import sys

import kombu
from oslo_config import cfg
from oslo_messaging import transport
from oslo_messaging._drivers import impl_rabbit

logging.disable(logging.CRITICAL)
random.shuffle = lambda hosts: None


def connects_to(url):
    hosts = url.hosts or [transport.TransportHost('')]
    defaults = {} if url.hosts else dict(default_username='guest', default_password='guest', default_hostname='localhost')
    answer = []
    for host in hosts:
        text = impl_rabbit.Connection._transform_transport_url(Driver(), url, host, **defaults)
        with kombu.Connection(text) as connection:
            info = connection.info()
            answer.append({key: info[key] for key in ('hostname', 'port', 'userid', 'password', 'virtual_host')})
    return answer


class Driver:
    _parse_url_hostname = impl_rabbit.Connection._parse_url_hostname

    def __getattr__(self, name):
        raise AssertionError(name)


for line in sys.stdin:
    try:
        url = transport.TransportURL.parse(cfg.ConfigOpts(), json.loads(line))
        answer = {'parsed': {
            'transport': url.transport,
            'hosts': [[host.hostname, host.port, host.username, host.password] for host in url.hosts],
            'virtualHost': url.virtual_host,
            'query': url.query,
        }}
        try:
            answer['kombu'] = connects_to(url)
        except Exception as error:
            answer['kombu'] = type(error).__name__
    except Exception as error:
        answer = {'error': type(error).__name__}
    print(json.dumps(answer), flush=True)
