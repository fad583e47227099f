#!/bin/sh
# Collect the installer VM's logs into one archive for support. Run as root: sudo sh palette-logs.sh [FOLDER]
set -u
umask 077

folder=${1:-/tmp}
archive=$folder/palette-logs-$(hostname)-$(date -u +%Y%m%d-%H%M%S).tgz
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

if [ "$(id -u)" -ne 0 ]; then
    echo "Run this as root, otherwise most logs are left out: sudo sh $0" >&2
fi

journalctl --unit kubelet --no-pager >"$work/kubelet.log" 2>&1
journalctl --unit palette-installer --no-pager >"$work/palette-installer-journal.log" 2>&1
{
    date -u
    uptime
    ip address
    ip route
    cat /etc/resolv.conf
} >"$work/system.txt" 2>&1

# Only what exists is named, so that one missing log does not spoil the archive.
set --
for log in /var/log/palette-installer.log* /var/log/cloud-init.log /var/log/cloud-init-output.log \
    /var/log/containers /var/log/kern.log /var/log/syslog*; do
    if [ -r "$log" ]; then
        set -- "$@" "$log"
    fi
done

# Status 1 of tar: a log grew while it was read, which is normal.
tar --create --gzip --dereference --file "$archive" --ignore-failed-read \
    --directory "$work" kubelet.log palette-installer-journal.log system.txt "$@" 2>"$work/tar.err"
if [ $? -gt 1 ]; then
    cat "$work/tar.err" >&2
    rm -f "$archive"
    echo "The archive could not be written to $folder." >&2
    exit 1
fi
echo "The logs are in $archive. Attach it to your support request."
