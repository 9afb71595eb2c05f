"""The plain lines of progress, where there is no terminal."""

from ue_bench import progress as room


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
