#!/bin/sh
# Create the virtual environment with the locked dependencies, and see to the one system library needed.
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

fail() {
    echo "setup: $*" >&2
    exit 2
}

command -v "$PYTHON" >/dev/null 2>&1 ||
    fail "Python 3.11 or later is needed, and there is no $PYTHON here. Name one: make setup PYTHON=/path/to/python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    found=$("$PYTHON" -V 2>&1) || found=
    fail "Python 3.11 or later is needed; $PYTHON is ${found:-no working Python}. Name one: make setup PYTHON=/path/to/python3"
}
# Debian leaves ensurepip out of python3, and venv then fails half-way: ask first.
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || {
    package=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    fail "the venv module is missing. On Debian, as root: apt-get update && apt-get install -y $package; then make setup again"
}
"$PYTHON" -m venv "$VENV" || fail "$PYTHON could not create $VENV; the reason is above"
echo "setup: installing the locked dependencies into $VENV (a minute or two)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .

# LightGBM links to the OpenMP runtime, which a bare Debian does not have.
get_libgomp() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq libgomp1 2>&1 || { apt-get update -qq && apt-get install -y -qq libgomp1; } 2>&1
}
if ! problem=$("$VENV/bin/python" -c 'import lightgbm' 2>&1); then
    case $problem in
    *libgomp* | *libomp*) ;;
    *) fail "LightGBM does not load: $problem" ;;
    esac
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "setup: installing libgomp1, which LightGBM needs"
        said=$(get_libgomp) || echo "$said" >&2
    fi
    "$VENV/bin/python" -c 'import lightgbm' 2>/dev/null ||
        fail "LightGBM needs the OpenMP runtime. On Debian, as root: apt-get update && apt-get install -y libgomp1; then make setup again"
fi
echo "setup: ready"
