# The first process of a container. It starts the node's program when it is told to, signals it, and says how it ended.
# It is not the program's keeper: what was stopped or killed stays so until the next order, and Kubernetes, which sees
# only this process, restarts nothing.
#
#   $1/orders   a line an order: NUMBER start | NUMBER signal SIGNAL | NUMBER state
#   $1/replies  a line an answer: NUMBER done | NUMBER not running | NUMBER and a letter of proc(5): T = stopped
#   $1/run      the program, as a script that ends in exec
#   $1/pid      NUMBER PROCESS, while it runs
#
# A pod's containers share the folder's volume: one shell in a pod reaches all its agents.
# On the standard output, after all that the program wrote: a byte 036, vtchaos-exit NUMBER STATUS
state=$1
mkdir -p "$state" && rm -f "$state/orders" "$state/replies" "$state/pid"
mkfifo "$state/orders" "$state/replies"
trap 'exit 0' TERM INT
exec 3<>"$state/orders" 4<>"$state/replies" # open for both: no end of file, no waiting for the other end

started() {
    exec 2>/dev/null # the shell's own "Killed"
    sh "$state/run" 3<&- 4<&- 2>&1 </dev/null &
    program=$!
    echo "$1 $program" >"$state/new" && mv "$state/new" "$state/pid"
    echo "$1 done" >&4
    wait "$program"
    status=$?
    rm -f "$state/pid"
    printf '\n\036vtchaos-exit %s %s\n' "$1" "$status"
}

signalled() {
    if read -r _ program <"$state/pid" && kill -s "$2" "$program"; then
        echo "$1 done" >&4
    else
        echo "$1 not running" >&4
    fi
}

seen() {
    if read -r _ program <"$state/pid" && read -r stat <"/proc/$program/stat"; then
        stat=${stat##*) }
        echo "$1 ${stat%% *}" >&4
    else
        echo "$1 not running" >&4
    fi
}

while read -r number order signal <&3; do
    case $order in
    start) started "$number" & ;;
    signal) signalled "$number" "$signal" 2>/dev/null ;;
    state) seen "$number" 2>/dev/null ;;
    esac
done
