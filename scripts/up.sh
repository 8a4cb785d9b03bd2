#!/bin/sh
# API and MLflow UI side by side, on what the demo left in ./demo; both end with this script.
set -eu
BIN=$(pwd)/.venv/bin
[ -f demo/playbook.yaml ] || { echo "up: nothing to serve yet; run make demo first" >&2; exit 2; }
cd demo
"$BIN/mlflow" ui --backend-store-uri "${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" --host 127.0.0.1 --port 5000 &
ui=$!
trap 'kill "$ui" 2>/dev/null' EXIT INT TERM
echo "MLflow UI on http://127.0.0.1:5000"
"$BIN/nba" serve --port 8080 --clock request
