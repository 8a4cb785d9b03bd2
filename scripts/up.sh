#!/bin/sh
# API, learner and MLflow UI side by side, on what the demo left in ./demo; all end with this script.
set -eu
BIN=$(pwd)/.venv/bin
API=${NBA_UP_API_PORT:-8080} MLFLOW=${NBA_UP_MLFLOW_PORT:-5000}
[ -f demo/playbook.yaml ] || { echo "up: nothing to serve yet; run make demo first" >&2; exit 2; }
cd demo
MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false "$BIN/mlflow" ui --host 127.0.0.1 --port "$MLFLOW" \
    --backend-store-uri "${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" >mlflow.log 2>&1 &
running=$!
trap 'kill $running 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$BIN/nba" learn >learn.log 2>&1 &
running="$running $!"
echo "API        http://127.0.0.1:$API/docs"
echo "Console    http://127.0.0.1:$API/console"
# The console needs a user: the first time there is one made, and its password said, once.
if [ -z "${NBA_CONSOLE_USERS:-}" ] && [ ! -f console-users.json ]; then
    "$BIN/nba" console user add demo --generate
fi
echo "MLflow UI  http://127.0.0.1:$MLFLOW (its log is demo/mlflow.log)"
echo "Learner    looks for what has matured; its log is demo/learn.log"
"$BIN/nba" serve --port "$API" --clock request &
running="$running $!"
wait $!
