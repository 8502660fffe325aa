# A gateway as README.md sets it up, from the package, in a copy of this host's files that is gone in
# the end: commands of README's "Use it", the unit's commands as its user, upgrade, removal, purge.
# Runs in a mount and a UTS namespace of its own, in the network namespace of a side.
#
# usage: package.sh SIDE PACKAGE COMMANDS SHARED     SHARED is a folder of both sides
set -eu
side=$1 package=$2 commands=$3 shared=$4
other=left
[ "$side" = right ] || other=right

hostname "$side"
top=$shared/$side
mkdir -p "$top"
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root"
mount -t tmpfs tmpfs "$top/root/run"
mount -t proc proc "$top/root/proc"
mount --rbind /dev "$top/root/dev"
cp "$package" "$top/root/run/"
# The index of manual pages takes minutes on a busy machine.
[ ! -e /usr/bin/mandb ] || printf '#!/bin/sh\n' > "$top/root/usr/bin/mandb"

inside() {
    chroot "$top/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}
fail() {
    echo "FAILED: $*"
    [ ! -e "$top/log" ] || tail -n 40 "$top/log"
    exit 1
}
await() { # FILE
    for _ in $(seq 600); do
        [ ! -e "$1" ] || return 0
        sleep 0.1
    done
    fail "no $1"
}
of_unit() { # KEY: its value in the unit of the daemon
    sed -n "s/^$1=//p" "$top/root/usr/lib/systemd/system/vpngwd.service"
}
as_service() { # COMMAND…, with the rights that the unit gives it
    capabilities=$(of_unit AmbientCapabilities | tr A-Z a-z | sed 's/cap_/+/g; s/ /,/g')
    exec chroot "$top/root" setpriv --reuid "$(of_unit User)" --regid "$(of_unit Group)" --clear-groups \
        --inh-caps "-all,$capabilities" --ambient-caps "$capabilities" \
        --bounding-set "-all,$capabilities" --no-new-privs \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
start_service() {
    inside install -d -m 750 -o vpngw -g vpngw "/run/$(of_unit RuntimeDirectory)"
    (as_service $(of_unit ExecStart)) > "$top/log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        [ -z "$(ls "$top/root/run/vpngw")" ] || return 0
        kill -0 "$pid" 2> /dev/null || fail "the service does not run"
        sleep 0.1
    done
    fail "the service does not answer"
}
reload_service() {
    (as_service $(of_unit ExecReload | sed "s/\$MAINPID/$pid/")) 2>&1
}

# What README says, in its order.
cd "$top/root/run"
while read -r line; do
    echo "$side# $line"
    case $line in
    'apt install '*) inside sh -c "cd /run && apt-get install -qq -y ./vpngw_*.deb" ;;
    'vpnctl init'*)
        inside sh -c "$line" > "$top/said"
        sed -n 's/^ *\(vpnctl peer add .*\)/\1/p' "$top/said" > "$shared/of-$side.new"
        mv "$shared/of-$side.new" "$shared/of-$side"
        ;;
    'vpnctl peer add'*)
        await "$shared/of-$other"
        inside sh -c "$(cat "$shared/of-$other")"
        ;;
    'systemctl enable --now vpngwd'*) start_service ;;
    'vpnctl peers'*) inside sh -c "$line" || true ;;
    *) inside sh -c "$line" ;;
    esac
done < "$commands"

await "$shared/works"
config=$top/root/etc/vpngw/vpngw.toml
for _ in $(seq 100); do
    inside vpnctl peers > "$top/said" && break
    sleep 0.1
done
inside vpnctl peers || fail "not all is well"
[ "$(inside stat -c %U:%G:%a /etc/vpngw/vpngw.toml /etc/vpngw/gateway.key | sort -u)" = root:vpngw:640 ] ||
    fail "files belong to somebody else: $(ls -la "$top/root/etc/vpngw")"

# A key that the service cannot read is seen by root's check.
chmod 600 "$top/root/etc/vpngw/gateway.key"
inside vpnctl check /etc/vpngw/vpngw.toml > "$top/said" && fail "check has not looked as the service's user"
grep -q 'chmod 640 /etc/vpngw/gateway.key' "$top/said" || fail "$(cat "$top/said")"
chmod 640 "$top/root/etc/vpngw/gateway.key"

# A reload that fails is a failure, and the daemon goes on.
reload_service || fail "reload"
cp -p "$config" "$top/good"
echo 'nonsense = 1' >> "$config"
said=$(reload_service) && fail "a reload of nonsense went well"
case $said in *nonsense*) ;; *) fail "the reload does not say why: $said" ;; esac
cp -p "$top/good" "$config"
kill -0 "$pid" || fail "the daemon ended"

# An upgrade leaves the daemon alone, and what the administrator has made of folders and files.
chmod 2711 "$top/root/etc/vpngw"
inside sh -c 'cd /run && dpkg-deb -R vpngw_*.deb next && sed -i "s/^Version: .*/&+1/" next/DEBIAN/control &&
    dpkg-deb -b next next.deb > /dev/null && dpkg -i next.deb'
kill -0 "$pid" || fail "the upgrade has ended the daemon"
[ "$(stat -c %a "$top/root/etc/vpngw")" = 2711 ] || fail "the upgrade has changed /etc/vpngw"
cmp -s "$top/good" "$config" || fail "the upgrade has changed the configuration"

# Removed, the configuration stays; purged, what the administrator has written does.
kill "$pid"
wait "$pid" || fail "the daemon has not ended in order"
inside dpkg --remove vpngw
[ -e "$config" ] && [ ! -e "$top/root/usr/bin/vpngwd" ] || fail "removal"
inside dpkg --purge vpngw
[ -e "$config" ] && inside getent passwd vpngw > /dev/null || fail "keys were left to nobody"

# Purged where nobody has written anything, nothing is left.
rm -r "$top/root/etc/vpngw"
inside sh -c 'dpkg -i /run/next.deb && dpkg --purge vpngw'
! inside getent passwd vpngw > /dev/null || fail "the user is left"
! inside getent group vpngw > /dev/null || fail "the group is left"
(cd "$top/upper" && find . -type f -o -type d | sed 's/^\.//' |
    grep -v -E '^/(var/(lib/(dpkg|apt)|log|cache|backups)|run|tmp|dev|proc)(/|$)|^/etc/(ld.so.cache|\.pwd\.lock)$') |
    while read -r made; do
        [ -e "$made" ] || [ -z "$made" ] || echo "$made"
    done > "$top/left"
[ ! -s "$top/left" ] || fail "left behind: $(cat "$top/left")"
echo "$side: done"
