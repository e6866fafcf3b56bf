# Bash completion for patio. Options and names come from the command itself, so they are never stale.

_patio_commands() {
    "$1" help 2>/dev/null | while read -r word _; do
        case $word in
        Commands:) listing=1 ;;
        "") listing= ;;
        *) [ -n "${listing-}" ] && echo "$word" ;;
        esac
    done
}

_patio_options() {
    "$1" "$2" --help 2>/dev/null | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | tr -s ', ' '\n'
}

# _patio_plugins PATIO KIND
_patio_plugins() {
    "$1" plugins 2>/dev/null | while read -r kind name _; do
        [ "$kind" = "$2" ] && echo "$name"
    done
}

_patio_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Files with one of these endings, and folders on the way to them.
_patio_files() {
    local word=$1 ending
    shift
    mapfile -t COMPREPLY < <(
        compgen -d -S / -- "$word"
        for ending; do compgen -f -X "!*.$ending" -- "$word"; done
    )
    compopt -o filenames 2>/dev/null
}

# The value of an option; false if it takes none that could be guessed.
_patio_value() {
    local patio=$1 option=$2 current=$3
    case $option in
    -b | --broker)
        _patio_words "$(_patio_plugins "$patio" transport | sed 's,$,://,')" "$current"
        compopt -o nospace 2>/dev/null
        ;;
    -x | --executor) _patio_words "$(_patio_plugins "$patio" executor)" "$current" ;;
    -m | --module) _patio_files "$current" so ;;
    -f | --config) _patio_files "$current" yaml yml ;;
    --plugin-path) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    --log-level) _patio_words "trace debug info warn error off" "$current" ;;
    --log-format) _patio_words "text json" "$current" ;;
    -p | -j | -o | --project | --workers | --option | --kw | --header | --timeout | --delay | --queue | \
        --priority | --content-type | --max-attempts | --max-crashes | --attempt-timeout | --at | --dedup-key | --dedup-window | --drain-timeout | --queues | --exec | \
        -q | --limit | --queue-ttl | --result-ttl) ;;
    --level) _patio_words "process peer disk replicated" "$current" ;;
    --backoff)
        _patio_words "exponential: fixed:" "$current"
        compopt -o nospace 2>/dev/null
        ;;
    --ack) _patio_words "on_done on_start on_receive" "$current" ;;
    --dedup-conflict) _patio_words "drop attach replace" "$current" ;;
    *) return 1 ;;
    esac
}

_patio() {
    local patio=${COMP_WORDS[0]} command=${COMP_WORDS[1]-}
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _patio_words "$(_patio_commands "$patio") --help --version" "$current"
        return
    fi
    # Bash hands over "--log-level=de" as three words.
    if [ "$current" = "=" ]; then
        current=""
    elif [ "$previous" = "=" ]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    _patio_value "$patio" "$previous" "$current" && return
    if [[ $current == -* ]]; then
        _patio_words "$(_patio_options "$patio" "$command")" "$current"
    elif [ "$command" = help ]; then
        _patio_words "$(_patio_commands "$patio") exit-codes errors" "$current"
    elif [ "$command" = dlq ] && ((COMP_CWORD == 2)); then
        _patio_words "ls show retry drop" "$current"
    elif [ "$command" = topology ] && ((COMP_CWORD == 2)); then
        _patio_words "print" "$current"
    elif [ "$command" = doctor ] && ((COMP_CWORD == 2)); then
        _patio_words "$(_patio_plugins "$patio" transport | sed 's,$,://,')" "$current"
    elif [ "$command" = describe ] && ((COMP_CWORD == 2)); then
        _patio_words "transport executor tasks" "$current"
    elif [ "$command" = describe ] && ((COMP_CWORD == 3)); then
        _patio_words "$(_patio_plugins "$patio" "$previous")" "$current"
    fi
}

complete -F _patio patio
