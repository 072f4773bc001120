# Sourced by scripts/start and scripts/test: goes to the project's root and sets up what a fresh machine lacks.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

require_node() {
  local found='none'
  have node && found="$(node --version)"
  if ! have node || ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; then
    die "Nightporter needs Node 20.19 or newer; found: $found.
Get it from https://nodejs.org/en/download, with a version manager (nvm install 20, fnm install 20), or with your
system's packages where they are new enough."
  fi
  have npm || die 'npm is missing, although node is there: install the npm package of your system, or Node from https://nodejs.org'
}

# What better-sqlite3 is compiled with where there is no ready-made binary for this machine.
missing_build_tools() {
  local missing=()
  have python3 || missing+=(python3)
  have make || missing+=(make)
  have g++ || have clang++ || have c++ || missing+=('a C++ compiler')
  if [ ${#missing[@]} -gt 0 ]; then
    local IFS=,
    printf '%s' "${missing[*]}" | sed 's/,/, /g'
  fi
}

how_to_get_build_tools() {
  case "$(uname -s)" in
    Darwin) printf 'xcode-select --install' ;;
    *)
      if have apt-get; then printf 'apt-get install python3 make g++'
      elif have dnf; then printf 'dnf install python3 make gcc-c++'
      elif have apk; then printf 'apk add python3 make g++'
      elif have pacman; then printf 'pacman -S python make gcc'
      else printf 'install python3, make and a C++ compiler with your package manager'; fi
      ;;
  esac
}

are_packages_ready() {
  [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] &&
    node -e 'new (require("better-sqlite3"))(":memory:")' 2>/dev/null
}

# fetch_packages, then compile_packages: the latter takes a minute and a half of one core where better-sqlite3 has no
# ready-made binary, and nothing but SQLite needs to wait for it.
fetch_packages() {
  local missing
  missing="$(missing_build_tools)"
  if [ -n "$missing" ]; then
    say "missing: $missing. Needed where better-sqlite3 has no ready-made binary; get it with: $(how_to_get_build_tools)"
  fi
  say 'installing packages (npm ci)'
  npm ci --ignore-scripts --no-audit --no-fund >&2 || die 'npm ci failed: its last lines above say why.'
  touch node_modules/.package-lock.json
}

compile_packages() {
  local missing
  missing="$(missing_build_tools)"
  JOBS="${JOBS:-2}" npm rebuild >&2 || die "npm rebuild failed: its last lines above say why.${missing:+
Missing here: $missing. Get it with: $(how_to_get_build_tools)}"
}

install_packages() {
  if are_packages_ready; then return; fi
  fetch_packages
  compile_packages
}

build() {
  local mark=dist/.built
  if [ -e "$mark" ] && [ -z "$(find src container/agent-runner tsconfig.json tsconfig.build.json package-lock.json \
    -name node_modules -prune -o -newer "$mark" -print | head -n 1)" ]; then
    return
  fi
  say 'building'
  local begun
  begun="$(mktemp)"
  npm run --silent build >&2 || { rm -f "$begun"; die 'the build failed'; }
  # What was written to while the build ran is newer than this.
  mv "$begun" "$mark"
}
