#!/bin/sh
# Create the virtual environment with the locked dependencies, and see to the one system library needed.
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: Python 3.11 or later is needed; $PYTHON is $("$PYTHON" -V 2>&1). Name one: make setup PYTHON=python3.11" >&2
    exit 2
}
if ! "$PYTHON" -m venv "$VENV" 2>/dev/null; then
    echo "setup: the venv module is missing; on Debian: apt-get install -y python3-venv" >&2
    exit 2
fi
echo "setup: installing the locked dependencies into $VENV (a minute or two)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .

# LightGBM links to the OpenMP runtime, which a bare Debian does not have.
if ! "$VENV/bin/python" -c 'import lightgbm' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "setup: installing libgomp1, which LightGBM needs"
        { apt-get install -y -qq libgomp1 || { apt-get update -qq && apt-get install -y -qq libgomp1; }; } >/dev/null
    fi
    "$VENV/bin/python" -c 'import lightgbm' 2>/dev/null || {
        echo "setup: LightGBM needs the OpenMP runtime. Run: sudo apt-get install -y libgomp1, then make setup again" >&2
        exit 2
    }
fi
echo "setup: ready"
