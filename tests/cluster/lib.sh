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

# A folder comes with its lock held and goes with it free, each in one step as the others see it: whoever makes or removes one holds this lock.
one_at_a_time() {
  exec 8>"$clusters/.lock"
  flock 8
}
next_one() { exec 8>&-; }

# Removes a cluster unless it runs, or another of its name does by now.
clean_dead() { # STATE
  one_at_a_time
  [ ! -d "$1" ] || alive "$1" || clean "$1"
  next_one
}

# Removes what a cluster that has ended left outside its namespaces: its cgroups and its folder.
clean() { # STATE
  local group
  for group in /sys/fs/cgroup/bailey-"$(basename "$1")" /sys/fs/cgroup/*/bailey-"$(basename "$1")"; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  rm -rf --one-file-system "$1"
}
