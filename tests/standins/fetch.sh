#!/bin/bash
# ``curl`` and ``wget`` as the health checks call them: 0 when the last word, a URL, is answered with success.
# In the shell: an interpreter would cost ten times as much, every few seconds in every container.
url=${*: -1}
rest=${url#http://}
address=${rest%%/*}
host=${address%%:*}
port=${address#"$host"}
port=${port#:}
path=${rest#"$address"}
exec 3<>"/dev/tcp/$host/${port:-80}" || exit 7
printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "${path:-/}" "$address" >&3
read -r -t 2.5 _ status _ <&3
case $status in
    2*) ;;
    *) echo "$url: ${status:-no answer}" >&2; exit 22 ;;
esac
