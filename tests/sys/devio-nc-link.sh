#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-nc between two network namespaces, over a link that loses, doubles and
# reorders packets: by netem on a veth pair, or without netem by lossy-link.py.
# In a namespace of its own from the first line on: the machine's network is
# not touched, and nothing of it has to be undone.
# shellcheck disable=SC2317  # what follows exec is reached where exec failed
if [[ -z ${DEVIO_IN_NETNS:-} ]]; then
	for how in '-n' '-rn'; do
		unshare $how true 2>/dev/null && DEVIO_IN_NETNS=1 exec unshare $how "$0" "$@"
	done
fi
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
nc=$BUILD/tools/devio-nc
here=$(cd "$(dirname "$0")" && pwd)
cd "$tmp" || exit 1
helpers=()
end_helpers() {
	((!${#helpers[@]})) || kill "${helpers[@]}" 2>/dev/null
	rm -rf "$tmp"
}
trap end_helpers EXIT

give_up() {
	skip "a link between namespaces" "$1"
	done_testing
	exit 0
}
[[ -n ${DEVIO_IN_NETNS:-} ]] || give_up "no network namespace can be made here"
command -v ip >/dev/null || give_up "no ip(8)"
unshare -n sleep 600 & far=$!
helpers+=("$far")
there() { nsenter --net="/proc/$far/ns/net" "$@"; }
for ((i = 0; i < 100; i++)); do
	[[ $(readlink /proc/$far/ns/net) = "$(readlink /proc/self/ns/net)" ]] || break
	sleep 0.05
done

# up NAME NUMBER COMMAND...: addresses of this side, set by the command's prefix
up() {
	local name=$1 number=$2
	shift 2
	"$@" ip link set lo up && "$@" ip addr add "10.99.0.$number/24" dev "$name" &&
		"$@" ip addr add "fd99::$number/64" dev "$name" nodad && "$@" ip link set "$name" up
}

# veth DELAY...: a pair, with netem where it is there
veth() {
	ip link add near0 type veth peer name far0 && ip link set far0 netns "$far" && up near0 1 && up far0 2 there
}
netem() {
	local what=(delay 1ms loss 2% duplicate 2% reorder 90%)
	tc qdisc add dev near0 root netem "${what[@]}" && there tc qdisc add dev far0 root netem "${what[@]}"
}
taps() {
	[[ -w /dev/net/tun ]] || return
	python3 "$here/lossy-link.py" near1 far1 >ready & helpers+=($!)
	for ((i = 0; i < 250; i++)); do
		[[ ! -s ready ]] || break
		sleep 0.02
	done
	ip link set far1 netns "$far" && up near1 1 && up far1 2 there
}
mtu() { # NUMBER
	ip link set "$near" mtu "$1" && there ip link set "${near/near/far}" mtu "$1"
}

head -c 2000003 /dev/urandom >src

# carry NAME HOST ARGS: src to the far side and back here, compared
carry() {
	local name=$1 host=$2 port='' pid bad='' i
	shift 2
	: >l.err
	there timeout 120 "$nc" -l 0 -o dst --timeout 60 "$@" >l.out 2>l.err & pid=$!
	for ((i = 0; i < 500; i++)); do
		port=$(sed -n 's/.*listening on .* port //p' l.err)
		[[ -z $port ]] || break
		sleep 0.02
	done
	timeout 120 "$nc" "$host" "$port" -i src --timeout 60 "$@" >out 2>err || bad="sender: $(cat err)"
	wait "$pid" || bad+="receiver: $(cat l.err)"
	verdict "$name" "$bad$(cmp src dst 2>&1)"
	rm -f dst
}

every_way() { # NAME
	local size host
	for size in 1500 9000 1281; do
		mtu $size || { not_ok "MTU $size"; continue; }
		for host in 10.99.0.2 fd99::2; do
			carry "$1, MTU $size, $host" $host --path sock-bounce -b 100001 -q 4
		done
	done
	[[ $1 != *los* && $1 != *netem* ]] ||
		verdict "$1: packets were lost" "$(awk '/^Tcp: [0-9]/ { if (!$13) print "none was sent again" }' /proc/net/snmp)"
	carry "$1, several flows" 10.99.0.2 --flows 8 -b 64k
	carry "$1, into host memory" fd99::2 --mem host --path sock-host
}

near=near0
if ! veth 2>veth.err; then
	skip "a veth pair" "no veth: $(head -n 1 veth.err)"
elif netem 2>netem.err; then
	every_way "a veth pair with netem"
else
	every_way "a veth pair"
fi
if [[ $near = near0 && -s netem.err ]]; then
	near=near1
	ip link del near0
	if taps 2>taps.err; then
		every_way "a lossy link of two TAP devices"
	else
		skip "loss, duplicates, reordering" "neither netem ($(head -n 1 netem.err)) nor TAP devices ($(head -n 1 taps.err))"
	fi
fi
cd / || exit 1
done_testing
