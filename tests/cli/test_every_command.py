"""Every command, typed as a user does: its help and examples, its table, az's output formats, and tab completion."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
import yaml
from knack.help_files import helps

from azext_kmsmigrate import _help, commands
from azext_kmsmigrate._validators import complete_check_ids
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.report.form import Form
from azext_kmsmigrate.report.one_line import width
from tests.az import AZ, Az
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.labs import UpLab

GROUP = "aks kms-migrate"
COLUMNS = 100


class _Table:
    """What az hands to ``load_command_table``, as far as names go."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def command_group(self, name: str) -> _Table:
        assert name == GROUP
        return self

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def custom_command(self, name: str, *_: object, **__: object) -> None:
        self.names.append(name)

    custom_show_command = custom_command


def _names() -> list[str]:
    table = _Table()
    commands.load_command_table(table, None)
    return table.names


NAMES = _names()


@pytest.fixture(scope="module")
def az(extensions: Path) -> Iterator[Az]:
    """One cluster for everything that changes nothing."""
    with LabClient.up(LabOptions(f"commands-{os.getpid()}", secrets=3), tethered=True) as lab:
        yield Az(lab, extensions)


# help


def _examples(name: str) -> list[str]:
    """Each ``az`` command of its examples, with the lines that belong together joined."""
    assert _help  # filling ``helps`` is what importing it does
    text = yaml.safe_load(helps[f"{GROUP} {name}"])
    return [
        line
        for example in text["examples"]
        for line in example["text"].replace("\\\n", " ").splitlines()
        if line.strip()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_two_examples_at_least(name: str) -> None:
    lines = _examples(name)
    assert len(lines) >= 2
    assert all(line.startswith("az ") for line in lines), lines
    assert all(re.search(rf"\baz {GROUP} [a-z-]+ ", line) for line in lines)


_PARSED = """
import json, sys
from azure.cli.core import get_default_cli
from azure.cli.core.commands import events
from knack.events import EVENT_INVOKER_POST_CMD_TBL_CREATE
cli = get_default_cli()
cli.invocation = invoker = cli.invocation_cls(
    cli_ctx=cli, parser_cls=cli.parser_cls, commands_loader_cls=cli.commands_loader_cls, help_cls=cli.help_cls)
typed, loader = json.load(sys.stdin), invoker.commands_loader
loader.load_command_table(typed[0])
for name in sorted({" ".join(words[:3]) for words in typed}):
    loader.command_name = invoker.data["command_string"] = name
    cli.raise_event(events.EVENT_INVOKER_PRE_LOAD_ARGUMENTS, commands_loader=loader)
    loader.load_arguments(name)
    cli.raise_event(events.EVENT_INVOKER_POST_LOAD_ARGUMENTS, commands_loader=loader)
cli.raise_event(EVENT_INVOKER_POST_CMD_TBL_CREATE, commands_loader=loader)
invoker.parser.cli_ctx = cli
invoker.parser.load_command_table(loader)
for words in typed:
    print(invoker.parser.parse_args(words).command)
"""


@pytest.mark.az
def test_azs_own_parser_takes_every_example(az: Az) -> None:
    """In one process of az's Python, with the extension loaded as az loads it."""
    typed = [shlex.split(line)[1:] for name in NAMES for line in _examples(name)]
    done = subprocess.run(
        [str(AZ.with_name("python")), "-c", _PARSED],
        input=json.dumps(typed),
        env=az.environment,
        cwd=az.lab.directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [" ".join(words[:3]) for words in typed]


# output


@pytest.mark.az
@pytest.mark.parametrize("output", ["json", "jsonc", "yaml", "yamlc", "tsv", "table", "none"])
def test_every_output_format_of_az(az: Az, output: str) -> None:
    done = az.migrate("show", "-o", output)
    assert done.code == 0, done.stderr
    if output in ("json", "jsonc"):
        assert json.loads(done.stdout)["cluster"]["name"] == az.lab.name
    elif output in ("yaml", "yamlc"):
        assert yaml.safe_load(done.stdout)["cluster"]["name"] == az.lab.name
    else:
        assert (az.lab.name in done.stdout) is (output != "none")


@pytest.mark.az
@pytest.mark.parametrize(
    ("words", "query", "said"),
    [
        (("plan",), "steps[0].id", "disable-kms"),
        (("check", "--skip-check", "C-04"), "checks[?id=='C-04'].outcome", "skipped"),
        (("verify", "--settle-seconds", "0"), "storedAs", "kms-v1"),
    ],
)
def test_a_query_takes_one_value_out_of_a_result(az: Az, words: tuple[str, ...], query: str, said: str) -> None:
    done = az.migrate(*words, "--query", query, "-o", "tsv")
    assert done.stdout.strip() == said


def _table(az: Az, *words: str) -> str:
    done = az.migrate(*words, "-o", "table")
    assert done.code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 2
    assert set(lines[1]) <= {"-", " "}
    assert max(width(line) for line in lines) <= COLUMNS, done.stdout
    return done.stdout


@pytest.mark.az
def test_every_command_has_a_table_all_the_way_through_a_migration(up: UpLab) -> None:
    az = up("embedded", secrets=3)
    settle = ("--settle-seconds", "1")
    shown = {
        "check": _table(az, "check"),
        "plan": _table(az, "plan"),
        "disable-kms": _table(az, "disable-kms", "--yes"),
        "revert": _table(az, "revert", "--yes", *settle),
        "start": _table(az, "start", "--yes", *settle, "--stop-after", "decrypt-secrets"),
        "upgrade": _table(az, "upgrade", "--yes", *settle),
        "enable-kms": _table(az, "enable-kms", "--yes", *settle),
        "rewrite-secrets": _table(az, "rewrite-secrets", "--yes", *settle),
        "show": _table(az, "show"),
        "verify": _table(az, "verify", *settle),
    }
    assert {"report", "list"} | set(shown) >= set(NAMES)  # those two have tests of their own tables
    assert re.search(r"^upgrade +1\.26.* no ", shown["plan"], re.MULTILINE) or "no " in shown["plan"]
    assert "True" in shown["verify"]


# the question


@pytest.mark.az
@pytest.mark.parametrize(
    ("words", "final"), [(("start",), "Cannot be undone: upgrade."), (("disable-kms",), ""), (("rewrite-secrets",), "")]
)
def test_a_confirmation_names_the_cluster_and_what_cannot_be_undone_and_no_changes_nothing(
    az: Az, words: tuple[str, ...], final: str
) -> None:
    child = pexpect.spawn(
        str(AZ),
        ["aks", "kms-migrate", *words, "-g", "lab", "-n", az.lab.name],
        env=az.environment,
        cwd=az.lab.directory,
        dimensions=(50, 200),
        timeout=60,
        encoding="utf-8",
    )
    child.expect(re.escape("? (y/N): "))
    asked = (child.before or "").splitlines()[-1]
    assert asked == f"{final} Go on with cluster '{az.lab.name}' in resource group 'lab'".lstrip()
    child.sendline("n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert az.lab.puts() == []


# the command to type next


@pytest.mark.az
def test_the_next_command_can_be_pasted_and_goes_to_the_same_subscription(up: UpLab) -> None:
    az = up("embedded", secrets=3)
    typed = ("--subscription", "Local lab", "--key-id", az.lab.key_id("kms-new"), "--stop-after", "disable-kms")
    done = az.migrate("start", "--yes", "--settle-seconds", "1", *typed)
    assert done.code == 0, done.stderr
    following = done.document["nextCommand"]
    words = shlex.split(following)
    subscription = az.lab.cluster()["id"].split("/")[2]
    assert words[words.index("--subscription") + 1] == subscription
    assert words[words.index("--key-id") + 1] == az.lab.key_id("kms-new")
    assert "--stop-after" not in words
    pasted = subprocess.run(
        ["bash", "-c", f"{following} --yes --settle-seconds 1"],
        env=az.environment | {"PATH": f"{AZ.parent}:{os.environ['PATH']}"},
        cwd=az.lab.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert pasted.returncode == 0, pasted.stderr
    assert az.lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]["keyId"] == az.lab.key_id("kms-new")
    refused = az.migrate("start", "--yes", "--kubernetes-version", "latest", "--subscription", "Local lab")
    assert f"--subscription {subscription}" in refused.stderr


# tab completion


def _completed(az: Az, line: str) -> list[str]:
    """What bash would offer at the end of this line: argcomplete's protocol, with the answer on descriptor 8."""
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "0",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(str(AZ))} 8>&1 9>&2 1>/dev/null 2>/dev/null"],
        env=az.environment | asked,
        cwd=az.lab.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [word.strip() for word in done.stdout.splitlines()]


@pytest.mark.az
def test_tab_completes_commands_steps_forms_checks_and_clusters(az: Az) -> None:
    assert set(NAMES) <= set(_completed(az, f"az {GROUP} "))
    assert _completed(az, f"az {GROUP} start --stop-after ") == [step.value for step in StepId]
    assert _completed(az, f"az {GROUP} start --stop-after en") == ["enable-kms", "encrypt-secrets"]
    assert set(_completed(az, f"az {GROUP} verify --progress ")) == {form.value for form in Form}
    assert _completed(az, f"az {GROUP} check --skip-check K-1") == complete_check_ids("K-1")
    assert _completed(az, f"az {GROUP} show -g lab -n ") == [az.lab.name]
    assert "--stop-after" in _completed(az, f"az {GROUP} start --s")
