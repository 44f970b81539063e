#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-cp and devio-nc: what becomes of a file that they replace, in a
# directory of somebody else too: mode, owner, attributes, links, holes.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
tool=$BUILD/tools/devio-cp
# shellcheck source=tool.bash
. "$(dirname "$0")/tool.bash"
cd "$tmp" || exit 1
head -c 100001 /dev/urandom >src

mode_of() { stat -c %a "$1"; }

bad=''
for mode in 640 4755 2711 1666 6777 400; do
	rm -f dst
	echo old >dst && chmod "$mode" dst
	bad+=$(tool_is 0 --force src dst --mem host)
	cmp -s src dst || bad+="$mode: differs "
	[[ $(mode_of dst) = "${mode: -3}" ]] || bad+="$mode became $(mode_of dst) "
done
verdict "devio-cp --force: a mode of 0777 at most, never setuid" "$bad"

# received: what devio-nc -o writes to the file $1
received() {
	rm -f nc.err
	timeout 30 "$BUILD/tools/devio-nc" -l --mem host -o "$1" --force --verbose 127.0.0.1 0 >nc.out 2>nc.err &
	local pid=$! port="" i
	for ((i = 0; i < 100; i++)); do
		port=$(sed -n 's/.*port \([0-9]*\).*/\1/p' nc.err 2>/dev/null | head -1)
		[[ -n $port ]] && break
		sleep 0.05
	done
	timeout 30 "$BUILD/tools/devio-nc" -i src --mem host 127.0.0.1 "${port:-1}" >nc2.out 2>&1
	wait "$pid"
}

rm -f dst
echo old >dst && chmod 4751 dst
received dst
verdict "devio-nc -o --force too" "$(cmp src dst 2>&1; [[ $(mode_of dst) = 751 ]] || echo "mode $(mode_of dst): $(cat nc.err nc2.out)")"

xattr() { python3 -c 'import os,sys; f = sys.argv[2]; print(os.getxattr(f, sys.argv[3]).decode()) if sys.argv[1] == "get" else os.setxattr(f, sys.argv[3], sys.argv[4].encode())' "$@" 2>&1; }
rm -f dst
echo old >dst
if [[ -n $(xattr set dst user.test kept) ]]; then
	skip "extended attributes are kept" "no user attributes here"
else
	tool_is 0 --force src dst --mem host
	verdict "extended attributes are kept" "$([[ $(xattr get dst user.test) = kept ]] || xattr get dst user.test)"
fi
if command -v setfacl >/dev/null && setfacl -m u:4321:r dst 2>/dev/null; then
	bad=$(tool_is 0 --force src dst --mem host)
	verdict "ACLs are kept" "$bad$(getfacl -cn dst | grep -q '^user:4321:r--' || getfacl -cn dst)"
else
	skip "ACLs are kept" "no setfacl or no ACLs here"
fi

# A link in a directory that everybody may write to, of somebody else.
mkdir -m 1777 sticky && mkdir hop
ln -s "$PWD/dst" hop/one && ln -s ../hop/one sticky/own
bad=$(tool_is 0 --force src sticky/own --mem host)
verdict "own links are followed, through several" "$bad$([[ -L sticky/own && -L hop/one ]] || ls -l sticky hop)"
ln -s loop loop
expect "links in a circle" 1 'loop: cannot stat' --force src loop
ln -s "$PWD/nothing" dangling
expect "a dangling link" 1 'dangling symbolic link' --force src dangling
expect "a name that ends in a slash" 1 'is a directory' --force src sticky/
expect "a file as a directory" 1 'cannot stat' --force src dst/
verdict "nothing is left in these directories" "$(find . -name '*.devio-cp' -o -name '*.devio-nc')"

if [[ $(id -u) = 0 ]] && command -v setpriv >/dev/null; then
	chmod 755 .
	as() { setpriv --reuid 54321 --regid 54321 --clear-groups "$@"; }
	mkdir theirs && chown 54321:54321 theirs
	as sh -c 'echo old >theirs/dst; chmod 4755 theirs/dst'
	bad=$(tool_is 0 --force src theirs/dst --mem host)
	verdict "root replaces a user's file: it stays the user's" \
		"$bad$([[ $(stat -c %u:%g:%a theirs/dst) = 54321:54321:755 ]] || stat -c %u:%g:%a theirs/dst)"
	as sh -c 'echo old >theirs/nc; chmod 6775 theirs/nc'
	received theirs/nc
	verdict "by devio-nc too" "$([[ $(stat -c %u:%g:%a theirs/nc) = 54321:54321:775 ]] || stat -c %u:%g:%a theirs/nc)"

	as ln -s "$PWD/dst" sticky/theirs
	cp dst before
	expect "a link of somebody else in a sticky directory is not followed" 1 'sticky/theirs: cannot' --force src sticky/theirs
	verdict "and its target is as it was" "$(cmp dst before 2>&1)"

	# Who may write, but does not own: nobody of another group gets what the old group could.
	mkdir -m 777 open && echo old >open/dst && chmod 660 open/dst && chown 0:4321 open/dst
	as "$tool" --force src open/dst --mem host >out 2>&1 || as cat src >/dev/null 2>&1 || true
	verdict "no other group inherits the rights of the old one" \
		"$([[ $(stat -c %u:%g:%a open/dst) =~ ^(0:4321:660|54321:54321:600)$ ]] || stat -c %u:%g:%a open/dst)"

	# The temporary file is replaced by a link while it is written.
	head -c 60M /dev/zero >big
	echo precious >precious
	rm -f theirs/dst
	"$tool" big theirs/dst --mem host --path file-buffered --block-size 512 --depth 1 >out 2>err &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		temp=$(compgen -G 'theirs/.dst.*.devio-cp') && break
		sleep 0.02
	done
	as rm -f "$temp"
	as ln -s "$PWD/precious" "$temp"
	wait "$pid"
	rc=$?
	verdict "a temporary file that its directory's owner replaces by a link is an error" \
		"$(grep -q 'removed or replaced' err || cat err)$([[ $rc = 1 ]] || echo "exit status $rc")"
	verdict "and the link's target is as it was" "$([[ $(cat precious) = precious && $(mode_of precious) = 644 ]] || ls -l precious)"
	rm -f big "$temp"
else
	skip "files of other users" "needs root and setpriv"
fi

if [[ $(id -u) = 0 ]] && truncate -s 16M img && mkfs.ext4 -qF img 2>/dev/null && loop=$(losetup -f --show img 2>/dev/null) &&
		mkdir mnt && mount "$loop" mnt 2>/dev/null; then
	expect "a mounted device is refused" 1 'in use \(mounted' --force src "$loop"
	umount mnt
	expect "and written to when it is not in use" 0 '^path: ' --force src "$loop" --mem host --verify
	losetup -d "$loop"
else
	[[ -z ${loop:-} ]] || losetup -d "$loop"
	skip "a mounted device is refused" "needs root, a loop device and mkfs.ext4"
fi

# Holes: 1 MiB of data every 8 MiB.
truncate -s 64000001 holes
for ((i = 0; i < 8; i++)); do head -c 1M /dev/urandom | dd of=holes bs=1M seek=$((i * 8)) conv=notrunc status=none; done
bad=''
for args in '' '--block-size 300k --depth 3' '--offset 5000001' '--seek 777' '--length 9000000'; do
	rm -f dst
	read -ra more <<<"$args"
	bad+=$(tool_is 0 holes dst --mem host --verify "${more[@]}")
	[[ -n $args ]] || cmp holes dst || bad+="differs "
	(($(stat -c %b dst) * 512 < 16000000)) || bad+="$args: $(stat -c %b dst) blocks "
done 2>&1
verdict "holes stay holes" "$bad"
rm -f dst && truncate -s 5M dst && cp dst none && rm dst
expect "a file that is one hole" 0 '^holes: 5242880 bytes$' none dst --mem host --verify
verdict "has no block" "$([[ $(stat -c %b:%s dst) = 0:5242880 ]] || stat -c %b:%s dst)"
rm -f dst

for f in /proc/filesystems /proc/self/status; do
	expect "$f is refused: its size is not that of its contents" 1 'has more than the 0 bytes' "$f" dst
	expect "to memory too" 1 'has more than the 0 bytes' "$f" mem:host
done
tool=$BUILD/tools/devio-nc
expect "by devio-nc too" 1 'has more than the 0 bytes' -i /proc/filesystems 127.0.0.1 1
cd / || exit 1
done_testing
