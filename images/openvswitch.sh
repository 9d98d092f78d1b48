#!/bin/sh
# The daemons of Open vSwitch, one a container: openvswitch.sh ovsdb-server|ovs-vswitchd. Both run in the foreground and log to their output.
# openvswitch.sh leaving: before a container of a pod that goes is stopped. The agent of the node keeps the flows for the pod that comes
# (agent/replacement.ts); without an agent, and without flows, nobody waits long.
set -eu
export OVS_RUNDIR=/run/openvswitch
database=unix:/run/openvswitch/db.sock
case $1 in
ovsdb-server)
  file=/var/lib/openvswitch/conf.db
  schema=/usr/share/openvswitch/vswitch.ovsschema
  if [ ! -s "$file" ]; then ovsdb-tool create "$file" "$schema"
  elif [ "$(ovsdb-tool needs-conversion "$file" "$schema")" = yes ]; then ovsdb-tool convert "$file" "$schema"
  fi
  exec ovsdb-server "$file" --remote=punix:/run/openvswitch/db.sock --pidfile=/run/openvswitch/ovsdb-server.pid \
    --unixctl=/run/openvswitch/ovsdb-server.ctl --private-key=db:Open_vSwitch,SSL,private_key \
    --certificate=db:Open_vSwitch,SSL,certificate --bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert -vconsole:info
  ;;
ovs-vswitchd)
  until ovs-vsctl --db=$database --no-wait --timeout=5 -- init; do sleep 0.2; done
  userspace=
  [ -d /sys/module/openvswitch ] || userspace=--disable-system
  exec ovs-vswitchd $database $userspace --mlockall --pidfile=/run/openvswitch/ovs-vswitchd.pid \
    --unixctl=/run/openvswitch/ovs-vswitchd.ctl -vconsole:info
  ;;
leaving)
  : > /run/openvswitch/replacing
  tries=0
  until [ -e /run/openvswitch/replacing.saved ] || [ $tries -ge 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  ;;
*)
  echo "expected ovsdb-server, ovs-vswitchd or leaving, got $1" >&2
  exit 2
  ;;
esac
