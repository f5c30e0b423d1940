#!/usr/bin/env bash
# Fetches and builds what the tests take from package registries, into build/deps (never committed).
#   fetch.sh NAME...     NAME: kafka-4.3.1 kafka-3.9.1 msk-iam connect-4.3.1 driver venv venv-old sarama kafkajs
# Each is done again only when its inputs have changed.
set -euo pipefail
cd "$(dirname "$0")/../.."

deps=build/deps
mkdir -p $deps
exec 9>$deps/.lock
flock 9

python=python3
[ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import ensurepip' 2>/dev/null && python=/usr/bin/python3

fetch_jars() {      # NAME
	rm -rf "${deps:?}/$1"
	mvn -q -B -ntp -f "tests/setup/$1.xml" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$PWD/$deps/$1"
}

fetch_venv() {      # NAME REQUIREMENTS
	rm -rf "${deps:?}/$1"
	$python -m venv "$deps/$1"
	"$deps/$1/bin/pip" install -q --disable-pip-version-check -r "$2"
}

build_driver() {
	rm -rf $deps/driver
	mkdir -p $deps/driver
	javac -nowarn -Xlint:none -d $deps/driver -cp "$deps/kafka-4.3.1/*:$deps/connect-4.3.1/*" tests/system/java/*.java
}

build_sarama() {
	(cd tests/system/clients/sarama && go build -o "../../../../$deps/sarama" .)
}

fetch_kafkajs() {
	rm -rf $deps/kafkajs
	mkdir -p $deps/kafkajs
	cp tests/system/clients/kafkajs/package.json tests/system/clients/kafkajs/package-lock.json $deps/kafkajs/
	(cd $deps/kafkajs && npm ci --silent --no-audit --no-fund)
}

# once NAME INPUT... -- COMMAND...: runs the command unless it was run with the same inputs.
once() {
	local name=$1 inputs=() sum
	shift
	while [ "$1" != -- ]; do inputs+=("$1"); shift; done
	shift
	sum=$(cat "${inputs[@]}" | sha256sum | cut -d' ' -f1)
	if [ -e "$deps/$name" ] && [ "$(cat "$deps/.$name" 2>/dev/null)" = "$sum" ]; then
		return
	fi
	rm -f "$deps/.$name"
	echo "preparing $name"
	"$@"
	echo "$sum" >"$deps/.$name"
}

fetch_one() {
	case $1 in
	kafka-*|msk-iam|connect-*) once "$1" "tests/setup/$1.xml" -- fetch_jars "$1" ;;
	driver) fetch_one kafka-4.3.1; fetch_one connect-4.3.1; once driver tests/system/java/*.java tests/setup/*-4.3.1.xml -- build_driver ;;
	venv) once venv tests/setup/requirements.txt -- fetch_venv venv tests/setup/requirements.txt ;;
	venv-old) once venv-old tests/setup/requirements-old.txt -- fetch_venv venv-old tests/setup/requirements-old.txt ;;
	sarama) once sarama tests/system/clients/sarama/* -- build_sarama ;;
	kafkajs) once kafkajs tests/system/clients/kafkajs/package*.json -- fetch_kafkajs ;;
	*) echo "fetch.sh: unknown: $1" >&2; exit 2 ;;
	esac
}

for name in "$@"; do
	fetch_one "$name"
done
