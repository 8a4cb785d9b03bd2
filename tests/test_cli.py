"""The command line: what it prints where, and the exit codes a script branches by."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nba import cli, errors
from nba.cli import build, main
from nba.commands.options import _writable, existing_store
from nba.errors import FieldError, InvalidInput, InvalidPlaybook, NbaError
from nba.stores.open import open_store
from tests.service.business import OPEN, Business, event


def nba(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    code = "from nba.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=directory, check=False)


def all_errors(root: type[NbaError] = NbaError) -> list[type[NbaError]]:
    return [root, *(below for child in root.__subclasses__() for below in all_errors(child))]


def test_every_error_exits_with_the_code_of_what_to_do_next() -> None:
    """2 correct it, 3 try again, 4 call somebody: by where an error stands in the tree."""
    codes = {errors.Correctable: 2, errors.Retryable: 3, errors.CallOperator: 4}
    for kind in all_errors():
        error = kind.__new__(kind)
        expected = next((code for branch, code in codes.items() if issubclass(kind, branch)), 2)
        assert cli._exit_code(error) == expected


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (
            InvalidPlaybook(
                [
                    FieldError(field="a", detail="is wrong", line=3),
                    FieldError(field="b", detail="is gone"),
                ],
                source="playbook.yaml",
            ),
            2,
            ["nba: playbook.yaml: line 3: a: is wrong", "nba: playbook.yaml: b: is gone"],
        ),
        (InvalidInput.of("since", "is no moment"), 2, ["nba: since: is no moment"]),
        (
            errors.NotEnoughData("too few", {"n": 3, "needed": 10}),
            2,
            ["nba: too few (n 3, needed 10)"],
        ),
        (
            errors.NotEnoughData(
                "too few", {"decisions": 2_592_000.0, "n_psi": 2.42634, "share": 0.00012345}
            ),
            2,
            ["nba: too few (decisions 2,592,000, n_psi 2.426, share 0.0001234)"],
        ),
        (errors.StoreUnavailable("the disk is full"), 3, ["nba: the disk is full"]),
        (errors.CorruptArtefact("not its hash"), 4, ["nba: not its hash"]),
    ],
)
def test_what_went_wrong_is_told_on_stderr_line_by_line_without_a_traceback(
    error: NbaError,
    code: int,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = build()

    def fail() -> None:
        raise error

    app.command("fail")(fail)
    monkeypatch.setattr(cli, "build", lambda: app)
    monkeypatch.setattr(sys, "argv", ["nba", "fail"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == code
    told = capsys.readouterr()
    assert told.err.splitlines() == lines
    assert told.out == ""


def test_an_error_that_is_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    app = build()

    def fail() -> None:
        raise ZeroDivisionError

    app.command("fail")(fail)
    monkeypatch.setattr(cli, "build", lambda: app)
    monkeypatch.setattr(sys, "argv", ["nba", "fail"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_a_wrong_call_exits_2_and_help_exits_0(tmp_path: Path) -> None:
    wrong = nba("init", "--no-such-option", directory=tmp_path)
    assert wrong.returncode == 2
    assert "--no-such-option" in wrong.stderr
    assert nba("no-such-command", directory=tmp_path).returncode == 2
    helped = nba("--help", directory=tmp_path)
    assert helped.returncode == 0
    assert "init" in helped.stdout


def test_every_command_explains_itself() -> None:
    runner, app = CliRunner(), build()
    names = [[command.name or ""] for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        names += [[group.name or "", c.name or ""] for c in group.typer_instance.registered_commands]
    assert ["init"] in names
    for name in names:
        told = runner.invoke(app, [*name, "--help"])
        assert told.exit_code == 0, told.output
        assert len(told.output.splitlines()) > 4


def test_init_writes_a_playbook_once_and_never_over_another(tmp_path: Path) -> None:
    first = nba("init", "shop", directory=tmp_path)
    assert first.returncode == 0
    assert "nba serve" in first.stdout
    path = tmp_path / "shop" / "playbook.yaml"
    path.write_text(path.read_text() + "# mine\n")
    again = nba("init", "shop", directory=tmp_path)
    assert again.returncode == 2
    assert "is there already and is left as it is" in again.stderr
    assert path.read_text().endswith("# mine\n")


def test_init_without_a_directory_writes_here(tmp_path: Path) -> None:
    assert nba("init", directory=tmp_path).returncode == 0
    assert (tmp_path / "playbook.yaml").exists()


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_init_where_a_file_stands_says_so(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    told = nba("init", where, directory=tmp_path)
    assert told.returncode == 2
    assert "file" in told.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_a_result_that_can_not_be_written_is_found_before_any_work(tmp_path: Path) -> None:
    assert _writable(tmp_path / "out.json") == tmp_path / "out.json"
    for path in (tmp_path, tmp_path / "nowhere" / "out.json"):
        with pytest.raises(InvalidInput, match="can't be written"):
            _writable(path)


def test_a_command_that_reads_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is none"):
        existing_store(str(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_cannot_be_loaded_says_so_and_takes_no_other_down() -> None:
    from importlib.metadata import EntryPoint

    from nba.cli import _loaded
    from nba.errors import CallOperator

    broken = _loaded(EntryPoint(name="bad", value="nba.no_such_module:run", group="nba.commands"))
    with pytest.raises(CallOperator, match=r"can't be loaded from nba\.no_such_module:run"):
        broken()


def test_what_a_customer_wrote_moves_no_cursor_of_who_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An escape sequence renames windows, hides lines and, in some terminals, types."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "playbook.yaml").write_text(OPEN, encoding="utf-8")
    with closing(open_store("nba.db")) as store:
        evil = {"text": "one\x1b[2J two\x9b31m three\x07\x00 <script>"}
        Business.of(OPEN, store).report(event("ann", "comment", properties=evil))
    shown = CliRunner().invoke(build(), ["customers", "show", "ann"])
    assert shown.exit_code == 0, shown.output
    assert "one�[2J two�31m three�� <script>" in shown.output
    assert not set(shown.output) & {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))}
