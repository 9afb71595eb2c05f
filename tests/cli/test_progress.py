"""Progress: a bar on a terminal, plain lines elsewhere, and nothing in them that a name commands."""

import io
import re
import sys

from ue_bench import progress as room

# A name as a table, a plug-in or an archive may have it.
HOSTILE = (
    "<script>alert(1)</script>\x1b]0;owned\x07\x1b[2J\r\nError: forged %s %(x)s {0} :x "
    "'; DROP TABLE trials; -- [bold]\u202e\u2028\x9b31m"
)
OF_RICH = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours, and the movement to the last line


def test_the_time_left_is_judged_by_what_this_command_did(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(room.time, "monotonic", lambda: clock[0])
    with room.progress("study", 24, "trials") as update:
        update(20)  # of an earlier command
        for done in (21, 22):
            clock[0] += 30.0
            update(done, "a run")
        clock[0] += 30.0
        update(24)
    assert capsys.readouterr().err.splitlines() == [
        "study: 21 of 24 trials, 90 s left; a run",
        "study: 22 of 24 trials, 60 s left; a run",
        "study: 24 of 24 trials",
    ]


def test_a_name_that_commands_is_text_in_plain_lines(monkeypatch, capsys):
    monkeypatch.setattr(room, "PLAIN_SECONDS", 0.0)
    with room.progress(HOSTILE, 2, "runs") as update:
        update(1, HOSTILE)
        update(2, HOSTILE)
    room.note(HOSTILE)
    lines = capsys.readouterr().err.split("\n")
    assert lines.pop() == ""
    assert len(lines) == 3
    for line in lines:
        assert line.isprintable()
        assert "<script>alert(1)</script>\\x1b]0;owned\\x07" in line
        assert "%s %(x)s {0} :x '; DROP TABLE trials; -- [bold]\\u202e" in line


def test_a_name_that_commands_is_text_in_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    with room.progress(HOSTILE, 2, "runs") as update:
        update(1, HOSTILE)
        update(2, HOSTILE)
    shown = sys.stderr.getvalue()
    for command in ("\x1b]", "\x07", "\x1b[2J", "\u202e", "\u2028", "\x9b"):
        assert command not in shown
    text = OF_RICH.sub("", shown)
    assert all(part.isprintable() for part in re.split("[\r\n]", text))
    assert "<script>alert(1)</script>\\x1b]0;owned\\x07" in text
    assert "-- [bold]\\u202e" in text  # no markup
