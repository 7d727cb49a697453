"""Cinder's own code, as cinder-volume runs it for one backend, without its database and message bus.

Reads a JSON list of calls on stdin and writes a list of their answers to stdout. Arguments: the configuration file, and the
section of the backend.
"""
import eventlet

eventlet.monkey_patch()  # first of all, as in cinder-volume itself

import json
import os
import sys
import tempfile

from oslo_config import cfg

from cinder import context as cinder_context
from cinder import objects
from cinder.image import glance
from cinder.image import image_utils
from cinder.volume import configuration
from cinder.volume import driver as base
from cinder.volume.drivers import rbd
from cinder.volume.flows.manager import create_volume


def main():
    file, section = sys.argv[1:]
    answers = os.fdopen(os.dup(1), 'w')  # what the libraries print goes elsewhere
    os.dup2(2, 1)
    objects.register_all()
    cfg.CONF(['--config-file', file], project='cinder')
    driver = rbd.RBDDriver(configuration=configuration.Configuration(base.volume_opts, config_group=section))
    driver.do_setup(cinder_context.get_admin_context())
    driver.check_for_setup_error()
    calls = {'create': create, 'create_or_download': create_or_download, 'delete': delete, 'download': download}
    json.dump([answer(calls, driver, question) for question in json.load(sys.stdin)], answers)
    answers.close()


def answer(calls, driver, question):
    try:
        return calls[question.pop('call')](driver, **question)
    except Exception as error:
        return {'error': type(error).__name__, 'message': str(error)}


def create(driver, image, token, id, size):
    """Makes a volume of `size` GiB from the image, by the two steps of the create_volume flow that come before a download."""
    return clone(driver, request(token), image, id, size)


def create_or_download(driver, image, token, id, size):
    """The same; and where nothing was cloned the download, in the same request."""
    context = request(token)
    made = clone(driver, context, image, id, size)
    return made if made['cloned'] else {**made, **fetch(driver, context, image)}


def clone(driver, context, image, id, size):
    volume = volume_object(id, size)
    spec = create_volume.ExtractVolumeSpecTask(None).execute(context, volume, {'image_id': image})
    update, cloned = driver.clone_image(
        context, volume, spec['image_location'], spec['image_meta'], spec['image_service'])
    return {'update': update, 'cloned': cloned, 'name': volume.name, 'format': spec['image_meta']['disk_format']}


def delete(driver, id):
    driver.delete_volume(volume_object(id, 1))
    return {}


def download(driver, image, token):
    """What copy_image_to_volume begins with: the image as a raw file; tells its size."""
    return fetch(driver, request(token), image)


def fetch(driver, context, image):
    with tempfile.NamedTemporaryFile(dir=cfg.CONF.image_conversion_dir) as file:
        image_utils.fetch_to_raw(
            context, glance.get_default_image_service(), image, file.name,
            driver.configuration.volume_dd_blocksize, size=1, run_as_root=False)
        return {'bytes': os.path.getsize(file.name)}


def request(token):
    return cinder_context.RequestContext('user', 'project', auth_token=token)


def volume_object(id, size):
    """A volume as Cinder's database would have it: new, of no type, not encrypted."""
    return objects.Volume(
        cinder_context.get_admin_context(), id=id, size=size, _name_id=None, status='creating', snapshot_id=None,
        source_volid=None, volume_type_id=None, volume_type=None, encryption_key_id=None)


main()
