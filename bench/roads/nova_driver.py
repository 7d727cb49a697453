"""Nova's own code, kept running: makes instance disks as nova-compute does, one for each line of JSON on stdin.

The steps are those of LibvirtDriver._create_and_inject_local_root with images_type = rbd: the real
imagebackend.Rbd.cache(), with the real clone() and, where that is refused, the real fetch_image() and `rbd import`.
Ends when stdin does. Arguments: the configuration files.
"""
import nova.monkey_patch  # noqa: F401 - first of all, as in nova-compute itself

import json
import os
import sys
import time
import types

import nova.conf
from nova import context as nova_context
from nova import exception
from nova.virt.libvirt import imagebackend
from nova.virt.libvirt import imagecache
from nova.virt.libvirt import utils as libvirt_utils

CONF = nova.conf.CONF


def main():
    args = [arg for path in sys.argv[1:] for arg in ('--config-file', path)]
    CONF(args, project='nova')
    answers = os.fdopen(os.dup(1), 'w')  # what the libraries print goes elsewhere
    os.dup2(2, 1)
    calls = {'create': create, 'forget': forget}
    for line in iter(sys.stdin.readline, ''):
        question = json.loads(line)
        try:
            answer = calls[question.pop('call')](**question)
        except Exception as error:
            answer = {'error': '%s: %s' % (type(error).__name__, error)}
        answers.write(json.dumps(answer) + '\n')
        answers.flush()


def create(image, uuid, size, token):
    """Makes the disk <uuid>_disk of the image, grown to `size`; tells how long, and by which road."""
    context = nova_context.RequestContext('bench', 'bench', auth_token=token)
    road = []
    begin = time.perf_counter()
    backend = imagebackend.Rbd(types.SimpleNamespace(uuid=uuid), 'disk')

    def clone_fallback_to_fetch(context, target, image_id, trusted_certs=None):
        try:
            backend.clone(context, image_id)
            road.append('cloned')
        except exception.ImageUnacceptable:
            libvirt_utils.fetch_image(context, target, image_id, trusted_certs)
            road.append('fetched')

    backend.cache(
        fetch_func=clone_fallback_to_fetch, context=context, filename=imagecache.get_cache_fname(image), size=size, image_id=image,
        trusted_certs=None)
    return {'ms': (time.perf_counter() - begin) * 1000, 'road': road[0] if road else 'imported'}


def forget(image):
    """Removes the image's file in _base, if it is there: the host has never seen the image."""
    path = os.path.join(CONF.instances_path, CONF.image_cache.subdirectory_name, imagecache.get_cache_fname(image))
    if os.path.exists(path):
        os.remove(path)
    return {}


main()
