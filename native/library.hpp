#pragma once

#include <rados/librados.h>
#include <rbd/librbd.h>

#if LIBRBD_VERSION_CODE < LIBRBD_VERSION(1, 16, 0)
#error "cellar needs librbd 1.16 (Ceph 16.2 Pacific) or newer: install a newer librbd-dev"
#endif
