{
  'variables': {
    'library%': '<!(node native/detect.mjs)',
    'sanitize%': 0,
  },
  'target_defaults': {
    # The last: in a worker that is being terminated no exception can be thrown any more, and that is no reason to abort.
    'defines': ['NAPI_VERSION=9', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
    'cflags_cc': ['-std=c++20', '-fvisibility=hidden', '-Wall', '-Wextra'],
  },
  'conditions': [
    ['library=="none"', {
      # Nothing to build: the command line is a client of the agent's socket and needs no librbd.
      'targets': [{'target_name': 'rbd', 'type': 'none'}],
    }, {
      'targets': [{
        'target_name': 'rbd',
        'sources': [
          'native/addon.cpp',
          'native/args.cpp',
          'native/class_call.cpp',
          'native/clone.cpp',
          'native/cluster.cpp',
          'native/completion.cpp',
          'native/connect.cpp',
          'native/digests.cpp',
          'native/directory.cpp',
          'native/environment.cpp',
          'native/error.cpp',
          'native/exit.cpp',
          'native/file_lock.cpp',
          'native/handle.cpp',
          'native/hasher.cpp',
          'native/hasher_handle.cpp',
          'native/image.cpp',
          'native/io.cpp',
          'native/lineage.cpp',
          'native/lock.cpp',
          'native/metadata.cpp',
          'native/notify.cpp',
          'native/notifying.cpp',
          'native/object.cpp',
          'native/omap.cpp',
          'native/operation.cpp',
          'native/ping.cpp',
          'native/pool.cpp',
          'native/read_back.cpp',
          'native/read_back_job.cpp',
          'native/snapshot.cpp',
          'native/teardown.cpp',
          'native/threads.cpp',
          'native/timer.cpp',
          'native/watch.cpp',
          'native/watch_handle.cpp',
          'native/work.cpp',
          'native/writer.cpp',
          'native/writer_handle.cpp',
        ],
        'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
        'libraries': ['-lrbd', '-lrados'],
        'conditions': [
          ['sanitize==1', {
            'cflags_cc': ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-g', '-O1'],
            'ldflags': ['-fsanitize=address,undefined'],
          }],
        ],
      }, {
        # Apart from the other one: who speaks to no Ceph needs no librbd.
        'target_name': 'datagram',
        'sources': ['native/datagram.cpp'],
        'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      }],
    }],
  ],
}
