# Sourced by scripts/engine and scripts/podman: what nightporter-base:local is made of, and what making it takes.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used where this is sourced
readonly base_image='nightporter-base:local'
readonly base_label='nightporter.base-of'
readonly base_version=1

have() { command -v "$1" >/dev/null 2>&1; }

apt_install() {
  [ "$(id -u)" = 0 ] || die "missing: $*. Run as root: apt-get install $*"
  [ -f /etc/debian_version ] && have apt-get || die "missing: $*. This is not Debian: install them with your package manager"
  say "installing $*"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# What the base image is made of; the image is made again when it changes.
base_signature() { printf '%s-%s-%s' "$base_version" "$(node --version)" "$(uname -m)"; }

# Makes the image with "NAME import ...", docker's or podman's; its label is found with "NAME image inspect".
make_base_image() {
  have node || die 'node is missing: install Node 20.19 or newer'
  local signature
  signature="$(base_signature)"
  if [ "$("$1" image inspect --format "{{index .Config.Labels \"$base_label\"}}" "$base_image" 2>/dev/null)" = "$signature" ]; then
    return
  fi
  [ "$(uname -s)" = Linux ] || { say "not making $base_image: it takes a Linux node binary"; return; }
  local busybox
  busybox="$(command -v busybox || true)"
  if [ -z "$busybox" ] || ldd "$busybox" >/dev/null 2>&1; then
    apt_install busybox-static
    busybox="$(command -v busybox)"
  fi
  say "making $base_image from this machine's node"
  local root node
  root="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$root'" EXIT
  node="$(node -p process.execPath)"
  mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,usr/bin,usr/local/bin,root}
  chmod 1777 "$root/tmp"
  cp -L "$node" "$root/usr/local/bin/node"
  cp -L "$busybox" "$root/bin/busybox"
  "$busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  ln -s ../../bin/env "$root/usr/bin/env"
  # Every library at the path at which the loader looked for it.
  ldd "$node" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  tar -C "$root" --owner=0 --group=0 --numeric-owner -cf - . | "$1" import \
    --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' --change 'CMD ["node"]' --change "LABEL $base_label=$signature" \
    - "$base_image" >/dev/null
  rm -rf "$root"
  trap - EXIT
}
