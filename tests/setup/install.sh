#!/usr/bin/env bash
# Installs the Debian 12 packages that a level needs, and only those that are missing.
#   install.sh build | demo | test        (each level holds the ones before it)
# What is on PATH already counts as there, whoever installed it.
set -euo pipefail

level=${1:-build}
case $level in build|demo|test) ;; *) echo "usage: $0 build|demo|test" >&2; exit 2 ;; esac

missing=()
need_command() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need_pkgconfig() { pkg-config --exists "$1" 2>/dev/null || missing+=("$2"); }
need_file() { compgen -G "$1" >/dev/null || missing+=("$2"); }

need_command gcc gcc
need_command make make
need_command pkg-config pkg-config
need_command python3 python3
need_file '/usr/include/*/sys/cdefs.h' libc6-dev
need_pkgconfig libevent_openssl libevent-dev
need_pkgconfig openssl libssl-dev
need_pkgconfig jansson libjansson-dev
need_pkgconfig libjwt libjwt-dev
need_pkgconfig hiredis libhiredis-dev

if [ "$level" != build ]; then
	need_command java openjdk-17-jre-headless
	need_command mvn maven
	need_command kcat kcat
	need_file '/etc/ssl/certs/ca-certificates.crt' ca-certificates
	need_command flock util-linux
	need_command redis-server redis-server
fi

if [ "$level" = test ]; then
	need_command javac openjdk-17-jdk-headless
	need_pkgconfig cmocka libcmocka-dev
	need_command valgrind valgrind
	need_file '/usr/lib/debug/.build-id/*' libc6-dbg
	need_command clang-14 clang-14
	need_file '/usr/lib/llvm-14/lib/clang/14*/lib/linux/libclang_rt.fuzzer-*' libclang-rt-14-dev
	need_command clang-format clang-format
	need_command ctags universal-ctags
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
	need_command haproxy haproxy
	need_pkgconfig lua5.1 liblua5.1-0-dev
	need_command node nodejs
	need_command npm npm
	need_command go golang-go
	need_command ip iproute2
	need_command openssl openssl
	need_command unzip unzip
fi

[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing: ${missing[*]}"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || { echo "need root or sudo to install: ${missing[*]}" >&2; exit 1; }
	as_root=(sudo)
fi

# Packages that bring a service must neither start it now nor at the next boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod 755 $policy
	trap '"${as_root[@]}" rm -f $policy' EXIT
fi

apt_install() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1
}

log=$(mktemp)
if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -2 -print -quit 2>/dev/null)" ]; then
	"${as_root[@]}" apt-get update -qq
fi
if ! apt_install; then
	"${as_root[@]}" apt-get update -qq
	apt_install || { cat "$log" >&2; exit 1; }
fi
rm -f "$log"

if [ -d /run/systemd/system ]; then
	for package in "${missing[@]}"; do
		case $package in haproxy|redis-server)
			"${as_root[@]}" systemctl disable --quiet "$package" || true ;;
		esac
	done
fi
