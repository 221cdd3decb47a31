"""`completion`: what makes Tab work in a shell."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from missioncontrol.cli.sentences import note

Shell = Literal["bash", "zsh", "fish"]

PROGRAM = "mission-control"

# Bash takes words apart at ':' and '@', which stand in types of events and in names of agents: what it took apart is
# put together for the completion, and of what is offered only the part behind the last of them is inserted.
_BASH = r"""
_mission_control_joined() {
  local -a words=()
  local rest="$COMP_LINE" word gap cword=0 i glue=0
  for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
    word="${COMP_WORDS[i]}"
    gap="${rest%%[![:space:]]*}"
    rest="${rest#"$gap"}"
    if ((i > 0)) && [[ -z "$gap" && ( $glue == 1 || "$word" == [:@]* ) ]]; then
      words[${#words[@]}-1]+="$word"
    else
      words+=("$word")
    fi
    [[ "$word" == *[:@] ]] && glue=1 || glue=0
    rest="${rest#"$word"}"
    ((i == COMP_CWORD)) && cword=$((${#words[@]} - 1))
  done
  local COMP_CWORD=$cword
  local -a COMP_WORDS=("${words[@]}")
  _mission_control
  local typed="${COMP_WORDS[COMP_CWORD]}" done=""
  [[ "$typed" == *[:@]* ]] && done="${typed%"${typed##*[:@]}"}"
  [[ "$done" == *:* && "$COMP_WORDBREAKS" != *:* ]] && done=""
  for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
    COMPREPLY[i]="${COMPREPLY[i]#"$done"}"
  done
}
complete -F _mission_control_joined mission-control
"""

# Zsh runs a file that it loads under whatever name it has: then it is to complete. A file that is sourced is to say
# what it is for.
_ZSH = """
if [[ "${funcstack[1]}" == _* ]]; then
  _cyclopts_mission-control "$@"
else
  compdef _cyclopts_mission-control mission-control
fi
"""
_MORE = {"bash": _BASH, "zsh": _ZSH, "fish": ""}


def completion(
    shell: Annotated[Shell, Parameter(name="SHELL", help="The shell that you use.")],
    /,
    *,
    install: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Put it where the shell finds it, and name it in `~/.bashrc` or `~/.zshrc`.",
        ),
    ] = False,
) -> int:
    """Print a script that completes commands, options, and the ids of tasks, agents and questions.

    Ids come from the running server: the one of `--url`, or of `MISSION_CONTROL_URL`.

    For example:

        mission-control completion bash --install
        mission-control completion zsh > ~/.zfunc/_mission-control
        mission-control completion fish | source
    """
    # Here, since that module names this one.
    from missioncontrol.cli.entry import make_app

    app = make_app()
    if not install:
        print(script(app.generate_completion(prog_name=PROGRAM, shell=shell), shell), end="")
        return 0
    path = app.install_completion(shell=shell)
    path.write_text(script(path.read_text(encoding="utf-8"), shell), encoding="utf-8")
    note(f"{path} is written; a new {shell} has it.")
    return 0


def script(made: str, shell: Shell) -> str:
    """Return the script for a shell, from what cyclopts makes."""
    return made + _MORE[shell]
