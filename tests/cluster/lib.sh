# Where a cluster keeps its things, and how its namespaces are entered. Sourced by the scripts of this folder.
clusters="${BAILEY_CLUSTERS:-/tmp/bailey-clusters}" # short: sockets below it must stay under 108 bytes
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

fail() {
  echo "$*" >&2
  exit 1
}

state_of() { echo "$clusters/$1"; }

# Whether anything of the cluster still runs: every process of it holds the lock, so a dead one's is free whatever killed it.
alive() { # STATE
  [ -f "$1/lock" ] && ! flock --nonblock "$1/lock" true
}

# The process that is number 1 inside the cluster's namespaces.
init_of() { # NAME
  local state
  state=$(state_of "$1")
  alive "$state" && [ -s "$state/init" ] || fail "no cluster named $1 is running: make cluster starts one"
  cat "$state/init"
}

# Removes what a cluster that has ended left outside its namespaces: its cgroups and its folder.
clean() { # STATE
  local group
  for group in /sys/fs/cgroup/bailey-"$(basename "$1")" /sys/fs/cgroup/*/bailey-"$(basename "$1")"; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  rm -rf --one-file-system "$1"
}
