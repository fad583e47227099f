# Sourced by check and test: run named parts, go on after a failure, tell all results at the end.
results=
failed=0

part() {
    name=$1
    shift
    printf '\n== %s\n' "$name"
    began=$(date +%s)
    if "$@"; then word=passed; else word=FAILED; failed=1; fi
    results="$results$(printf '%-28s %-7s %4d s' "$name" "$word" $(($(date +%s) - began)))
"
}

finish() {
    printf '\n%s' "$results"
    exit $failed
}
