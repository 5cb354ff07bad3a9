#!/bin/sh
# Install exactly what requirements.lock pins, with its hashes checked, into .venv.
#
# uv does it in seconds; it lives in .tools, a venv of its own, because `uv pip sync` removes whatever
# the lock does not name. Where uv cannot be had or cannot reach the packages, pip installs the same file.
# `install.sh tools` stops after .tools.
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9

fail() { printf '%s\n' "$*" >&2; exit 1; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

# The python asked for, or else the first on PATH that will do.
find_python() {
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 && supported "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    found=$("${PYTHON:-python3}" -V 2>&1) || found="no ${PYTHON:-python3}"
    fail "Found $found; Python 3.11, 3.12 or 3.13 is needed: install one and run again, or name it: make PYTHON=/path/to/python3.11 …"
}

# A venv that answers; a half-made or moved one is made anew.
make_venv() {
    if "$1/bin/python" -m pip --version >/dev/null 2>&1 && supported "$1/bin/python"; then
        return
    fi
    python=$(find_python)
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$("$python" -V) has no venv module; install it (on Debian and Ubuntu: apt-get install python3-venv) and run again."
    "$python" -m venv --clear "$1"
}

make_tools() {
    if [ "$(.tools/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; then
        return
    fi
    make_venv .tools
    .tools/bin/python -m pip install --quiet "uv==$UV_VERSION"
}

if [ "${1:-}" = tools ]; then
    make_tools
    exit
fi

# The stamp names what was installed: the lock's content and the interpreter that runs it.
wanted="$(cksum <requirements.lock) $(.venv/bin/python -V 2>/dev/null || true)"
if [ -f .venv/.installed ] && [ "$(cat .venv/.installed)" = "$wanted" ]; then
    exit 0
fi

echo "Installing requirements.lock into .venv …"
make_venv .venv
rm -f .venv/.installed
# uv reads no pip configuration: hand on where this machine says its packages are, and whom it trusts.
for setting in index-url:UV_DEFAULT_INDEX extra-index-url:UV_INDEX find-links:UV_FIND_LINKS cert:SSL_CERT_FILE; do
    name=${setting%%:*} variable=${setting#*:}
    value=$(printenv "PIP_$(printf '%s' "$name" | tr 'a-z-' 'A-Z_')" ||
        .venv/bin/python -m pip config get "global.$name" 2>/dev/null || true)
    if [ -n "$value" ] && [ -z "$(printenv "$variable" || true)" ]; then
        export "$variable=$value"
    fi
done
# Any of these places may hold a pinned file: its hash is checked, so the order of places decides nothing.
export UV_INDEX_STRATEGY=unsafe-best-match
if make_tools && .tools/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes \
    --only-binary :all: --compile-bytecode requirements.lock; then
    :
else
    echo "uv could not do it; pip installs the same file (a few minutes) …"
    .venv/bin/python -m pip install --require-hashes --only-binary :all: --no-deps --progress-bar off \
        --quiet -r requirements.lock
fi
printf '%s' "$(cksum <requirements.lock) $(.venv/bin/python -V)" >.venv/.installed
