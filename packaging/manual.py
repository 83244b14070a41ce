#!/usr/bin/env python3
"""Writes the manual page and the shell completions of the proxy from the texts that it prints itself for --help, so that
there is one source. Usage: manual.py BINARY FOLDER"""

import re
import subprocess
import sys
from pathlib import Path

OPTION = re.compile(r"^  (?:-(\w), |    )--([\w-]+)(?: (\S+))?\s{2,}(.*)$")


def text_of(binary, *args):
    return subprocess.run([binary, *args], text=True, capture_output=True, check=True).stdout


def commands(binary):
    """(name, summary, help text) of each command, in the order of --help."""
    for line in text_of(binary, "--help").splitlines():
        match = re.match(r"^  (\w+)\s{2,}(.*)$", line)
        if match:
            yield match[1], match[2], text_of(binary, match[1], "--help")


def options(text):
    for line in text.splitlines():
        match = OPTION.match(line)
        if match:
            yield match.groups()


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def manual(binary, all_commands):
    version = text_of(binary, "version").split()[1]
    yield f'.TH OUTRIGGER 1 "" "outrigger {version}"'
    yield ".SH NAME\noutrigger \\- a resilience sidecar for gRPC"
    yield ".SH SYNOPSIS\n.B outrigger\n.I COMMAND\n[\\fIOPTIONS\\fR]"
    yield ".SH COMMANDS"
    for name, summary, text in all_commands:
        usage, _, rest = text.partition("\n\n")
        yield f".SS {name}\n{escape(summary)}.\n.PP\n.nf\n{escape(usage.removeprefix('usage: '))}\n.fi"
        about = "\n".join(l for l in rest.splitlines() if not OPTION.match(l)).strip()
        yield f".PP\n{escape(about)}"
        for letter, long, argument, about in options(text):
            short = f"\\fB\\-{letter}\\fR, " if letter else ""
            value = f" \\fI{escape(argument)}\\fR" if argument else ""
            yield f".TP\n{short}\\fB\\-\\-{escape(long)}\\fR{value}\n{escape(about)}"
    yield ".SH FILES\n.TP\n.I /etc/outrigger/outrigger.yaml\nthe configuration that the service reads"
    yield ".SH EXIT STATUS\n0 done; 1 the configuration is bad, or it failed; 2 the command line is wrong."


def words(text):
    for letter, long, _, _ in options(text):
        yield "--" + long
        if letter:
            yield "-" + letter


def bash(all_commands):
    yield "# bash completion of outrigger"
    yield "_outrigger() {"
    yield "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options"
    yield "  if [ \"$COMP_CWORD\" -eq 1 ]; then"
    yield f"    mapfile -t COMPREPLY < <(compgen -W '{' '.join(c[0] for c in all_commands)} --help' -- \"$current\")"
    yield "    return\n  fi"
    yield "  case $before in\n    -c | --config | --certificate | --private-key | --binary)"
    yield "      mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n      return\n      ;;\n  esac"
    yield "  case ${COMP_WORDS[1]} in"
    for name, _, text in all_commands:
        yield f"    {name}) options='{' '.join(words(text))}' ;;"
    yield "  esac"
    yield "  mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n}"
    yield "complete -F _outrigger outrigger"


def quote(text):
    return text.replace("'", "").replace("[", "(").replace("]", ")").replace(":", ";")


def zsh(all_commands):
    yield "#compdef outrigger"
    yield "local -a commands\ncommands=("
    for name, summary, _ in all_commands:
        yield f"  '{name}:{quote(summary)}'"
    yield ")\nif (( CURRENT == 2 )); then\n  _describe command commands\n  return\nfi"
    yield "local command=$words[2]\nshift words; (( CURRENT-- ))\ncase $command in"
    for name, _, text in all_commands:
        yield f"  {name})\n    _arguments \\"
        for letter, long, argument, about in options(text):
            value = f":{quote(argument)}:{'_files' if argument == 'FILE' else ''}" if argument else ""
            yield f"      '--{long}[{quote(about)}]{value}' \\"
            if letter:
                yield f"      '-{letter}[{quote(about)}]{value}' \\"
        yield "      && return 0 ;;"
    yield "esac"


def main():
    binary, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    found = list(commands(binary))
    for name, lines in (("outrigger.1", manual(binary, found)), ("outrigger.bash", bash(found)), ("_outrigger", zsh(found))):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
