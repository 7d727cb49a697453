#!/bin/bash
# A host of its own for a test: Debian's systemd as process 1 of new namespaces, over this host's files, which it cannot change. It
# starts nothing but what it is told to. The network is this host's: the lab is there.
#
#   machine.sh REPOSITORY NODE DIRECTORY    ends when it is killed, and nothing of it runs on
#
# DIRECTORY/etc lies over /etc, DIRECTORY/dropins/UNIT.conf are drop-ins. DIRECTORY/pid: process 1, as this host counts.
set -euo pipefail

outside() {
  directory=$3
  local tree=$directory/cgroup
  mkdir -p "$tree"
  mount -t cgroup2 none "$tree"
  sweep "$tree"
  group=$tree/cellar-machine-$$
  mkdir "$group"
  trap 'clean_up' EXIT
  (
    echo $BASHPID >"$group/cgroup.procs"
    exec setpriv --pdeathsig KILL \
      unshare --mount --pid --cgroup --uts --ipc --fork --kill-child=KILL --propagation private "$0" inside "$@"
  ) &
  child=$!
  trap 'kill -KILL $child' TERM INT
  trap '' PIPE # whoever read what it says may be gone
  wait $child || true
}

# What is left of machines that were killed. The number is that of their outermost process.
sweep() {
  local dead
  for dead in "$1"/cellar-machine-*; do
    [ -d "/proc/${dead##*-}" ] || remove "$dead"
  done
}

remove() {
  find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null || true
}

clean_up() {
  for _ in $(seq 600); do
    remove "$group"
    [ -d "$group" ] || break
    sleep 0.1
  done
  umount --lazy "$directory/cgroup" && rm -rf --one-file-system "$directory"
}

inside() {
  local repository=$1 node=$2 directory=$3 pid
  read -r pid _ </proc/self/stat
  files "$repository" "$node" "$directory"
  units "$repository" "$directory"
  # the last use of the host's /proc: systemd must see its own
  umount -R /sys/fs/cgroup
  mount -t cgroup2 none /sys/fs/cgroup
  mount -t proc proc /proc
  mount --bind /proc/sys /proc/sys
  mount -o remount,bind,ro /proc/sys
  mount --make-rshared / # as at boot: credentials reach a service by a mount that is made elsewhere
  echo "$pid" >"$directory/pid.new"
  mv "$directory/pid.new" "$directory/pid"
  exec env -i container=cellar-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=machine.target --log-target=console --show-status=no
}

# What is installed is there, and what is written is gone with the machine.
files() {
  local repository=$1 node=$2 directory=$3 top
  # before anything lies over them
  mkdir -p "$directory/held/repository"
  mount --rbind "$repository" "$directory/held/repository"
  touch "$directory/held/node"
  mount --bind "$node" "$directory/held/node"
  mount -t tmpfs tmpfs /run
  for top in etc usr var; do
    mkdir -p "/run/over/$top" "/run/work/$top"
    local lower=/$top
    [ "$top" = etc ] && lower=$directory/etc:/etc
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=/run/over/$top,workdir=/run/work/$top" "/$top"
  done
  mkdir -p /usr/lib/cellar/bin /run/lock
  touch /usr/lib/cellar/bin/node
  mount --bind "$directory/held/node" /usr/lib/cellar/bin/node
  mkdir -p /usr/lib/cellar/app
  mount --rbind "$directory/held/repository" /usr/lib/cellar/app
  program cellar-agent daemon
  program cellar-registrar registrar
  chown -R root:root /etc/cellar /etc/ceph /etc/nova
  systemd-sysusers "$repository/packaging/systemd/cellar.sysusers"
  systemd-tmpfiles --create "$repository/packaging/systemd/cellar.tmpfiles"
  chgrp nova /etc/nova/nova.conf /etc/cellar/cellar.conf
  # a file system of the kind that Nova's is: leases work
  mkdir -p /var/lib/nova
  mount -t tmpfs tmpfs /var/lib/nova
  mkdir -p /var/lib/nova/instances/_base
  chown -R nova:nova /var/lib/nova
}

program() {
  printf '#!/bin/sh\nexec /usr/lib/cellar/bin/node /usr/lib/cellar/app/src/%s/main.ts "$@"\n' "$2" >"/usr/bin/$1"
  chmod 755 "/usr/bin/$1"
}

# cellar's units as they are, and of the others only names.
units() {
  local repository=$1 directory=$2 target unit
  mount -t tmpfs tmpfs /usr/lib/systemd/system
  mkdir -p /etc/systemd/system
  mount -t tmpfs tmpfs /etc/systemd/system
  cp "$repository"/packaging/systemd/*.service "$repository"/packaging/systemd/*.socket /usr/lib/systemd/system/
  for target in machine sysinit basic sockets shutdown multi-user network-online; do
    printf '[Unit]\nDefaultDependencies=no\n' >"/usr/lib/systemd/system/$target.target"
  done
  for unit in "$directory"/dropins/*.conf; do
    mkdir "/etc/systemd/system/$(basename "$unit" .conf).d"
    cp "$unit" "/etc/systemd/system/$(basename "$unit" .conf).d/test.conf"
  done
}

if [ "$1" = inside ]; then
  shift
  inside "$@"
else
  shift
  outside "$@"
fi
