#!/usr/bin/env bash
# Makes this machine ready for a level of work: packages first, then what comes from registries.
#   setup.sh build | demo | test | matrix
set -euo pipefail
here=$(dirname "$0")

case ${1:-} in
build) "$here/install.sh" build ;;
demo) "$here/install.sh" demo; "$here/fetch.sh" kafka-4.3.1 msk-iam ;;
test) "$here/install.sh" test; "$here/fetch.sh" kafka-4.3.1 msk-iam connect-4.3.1 driver venv venv-old sarama kafkajs ;;
matrix) "$0" test; "$here/fetch.sh" kafka-3.9.1 ;;
*) echo "usage: $0 build|demo|test|matrix" >&2; exit 2 ;;
esac
