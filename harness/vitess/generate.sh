#!/usr/bin/env bash
# Regenerate harness/vitess/proto from the .proto files that a Vitess release ships in its Go module.
# Field numbers are additive from 19 to 24, so the stubs of the newest release talk to all of them.
# Usage: harness/vitess/generate.sh [RELEASE]     needs go and the dev requirements
set -euo pipefail
release=${1:-0.24.3}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
source=$(cd "$scratch" && go mod download -json "vitess.io/vitess@v$release" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/proto
files=(binlogdata logutil mysqlctl query querythrottler replicationdata tabletmanagerdata topodata vschema
       vtctldata vtctlservice vtgate vtgateservice vtorcdata vtrpc vttime)
out=$here/proto
rm -rf "$out" && mkdir "$out"
"$python" -m grpc_tools.protoc -I "$source" --python_out="$out" --grpc_python_out="$out" \
    "${files[@]/%/.proto}"
# protoc writes flat imports; inside a package they must be relative
sed -i -E 's/^import (\w+_pb2)( as .*)?$/from . import \1\2/' "$out"/*.py
for name in "${files[@]}"; do  # only the two services are called through stubs
    case $name in vtctlservice | vtgateservice) ;; *) rm -f "$out/${name}_pb2_grpc.py" ;; esac
done
echo '"""Generated from the proto files of Vitess '"$release"' by harness/vitess/generate.sh; do not edit."""' > "$out/__init__.py"
