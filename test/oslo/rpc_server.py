"""A server of oslo.messaging's RPC: rpc_server.py URL [NAME] serves topic `conductor` of exchange `nova`, version 3.0."""
import logging
import sys
import threading
import time

import oslo_messaging
from oslo_config import cfg

logging.disable(logging.CRITICAL)


def say(*words):
    print(*words, flush=True)


class HostNotFound(Exception):
    def __init__(self, message, **kwargs):
        super().__init__(message)
        self.kwargs = kwargs


class Endpoint:
    target = oslo_messaging.Target(version='3.0')

    def echo(self, ctxt, **kwargs):
        say('ran echo')
        return kwargs

    def context(self, ctxt):
        return ctxt

    def count(self, ctxt, name):
        say('ran', name)

    def big(self, ctxt, size):
        return 'x' * size

    def wait(self, ctxt, seconds):
        say('ran wait')
        time.sleep(seconds)
        say('done wait')
        return 'waited'

    def fail(self, ctxt):
        raise HostNotFound('no host at mysql://nova:s3cr3t@db/x', host='h', code=404)

    def refuse(self, ctxt):
        raise ValueError('bad\nvalue \N{SNOWMAN}')


url = sys.argv[1]
name = sys.argv[2] if len(sys.argv) > 2 else 'server1'
conf = cfg.CONF
conf([], project='rpc')
oslo_messaging.set_transport_defaults('nova')
transport = oslo_messaging.get_rpc_transport(conf, url=url)
server = oslo_messaging.get_rpc_server(
    transport, oslo_messaging.Target(topic='conductor', server=name), [Endpoint()], executor='threading')
server.start()
say('listening')
threading.Event().wait()
