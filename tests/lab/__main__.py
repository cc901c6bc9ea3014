"""The lab's command line: ``python -m tests.lab up|etcd|requests|history|fault|list|ready|down``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.lab import faults
from tests.lab.client import LabClient, down, labs
from tests.lab.controlplane.real import binaries
from tests.lab.model import LabOptions
from tests.lab.premises import LabError


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = given.run
    try:
        run(given)
    except LabError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _up(given: argparse.Namespace) -> None:
    options = LabOptions(
        name=given.name,
        apiserver=given.apiserver,
        kubernetes=given.kubernetes,
        offers=tuple(given.offers.split(",")),
        replicas=given.replicas,
        secrets=given.secrets,
        access=given.access,
        key_vault=given.key_vault,
        kms=not given.no_kms,
        supported=given.supported,
        rtt_ms=given.rtt_ms,
        roll_seconds=given.roll_seconds,
        pools=given.pools,
        vaults=given.vaults,
        extra=({"proxy": "on"} if given.proxy else {})
        | ({"apiserver-flags": given.apiserver_flags} if given.apiserver_flags else {}),
    )
    _say(exports(LabClient.up(options).environment()))


def _etcd(given: argparse.Namespace) -> None:
    counts = LabClient(given.name).etcd()
    _say(json.dumps(counts) if given.json else _columns([[form, count] for form, count in counts.items()]))


def _requests(given: argparse.Namespace) -> None:
    asked = LabClient(given.name).requests()
    rows = [[one[name] for name in ("time", "service", "method", "status", "path")] for one in asked]
    _say(json.dumps(asked, indent=1) if given.json else _columns(rows))


def _history(given: argparse.Namespace) -> None:
    changes = LabClient(given.name).history()
    rows = [
        [
            change["version"],
            " ".join(f"{one['kind']}{one['apiVersion']}" for one in change["providers"]),
            " ".join(f"{form}={count}" for form, count in change["etcd"].items()),
            f"unreadable={len(change['unreadable'])}",
        ]
        for change in changes
    ]
    _say(json.dumps(changes, indent=1) if given.json else _columns(rows))


def _fault(given: argparse.Namespace) -> None:
    LabClient(given.name).fault(given.kind, " ".join(given.arg))


def _list(given: argparse.Namespace) -> None:
    found = labs()
    rows = [[lab["name"], "up" if lab["up"] else "dead", lab["apiserver"], lab["directory"]] for lab in found]
    _say(json.dumps(found, indent=1) if given.json else _columns(rows))


def _ready(given: argparse.Namespace) -> None:
    missing = binaries.missing()
    if not missing:
        if binaries.main(["build"]):
            raise LabError("the real API servers could not be built")
        return
    what = "the real API servers cannot run here, and the tests marked `real` with them: "
    if os.environ.get("CI") == "true":
        raise LabError(what + "; ".join(missing))
    _say(what + "".join(f"\n  {one}" for one in missing))


def exports(environment: Mapping[str, str]) -> str:
    """Shell text: one ``export`` a line; the PATH gets this interpreter's ``az`` where there is no other."""
    lines = [f"export {name}={_quoted(value)}" for name, value in sorted(environment.items())]
    beside = Path(sys.executable).parent
    if shutil.which("az") is None and (beside / "az").exists():
        lines.append(f'export PATH={_quoted(str(beside))}"{os.pathsep}$PATH"')
    return "\n".join(lines)


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def _columns(rows: list[list[object]]) -> str:
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    lines = ([f"{cell!s:{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _say(text: str) -> None:
    if text:
        sys.stdout.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="A small AKS of our own, on localhost, for the unmodified az."
    )
    verbs = parser.add_subparsers(required=True, metavar="up|etcd|requests|history|fault|list|ready|down")

    up = _verb(verbs, "up", _up, 'bring a lab up; prints the environment for az and kubectl: eval "$(... up NAME)"')
    default = LabOptions("")
    up.add_argument("--apiserver", choices=("embedded", "real"), default=default.apiserver)
    up.add_argument("--kubernetes", default=default.kubernetes, metavar="VERSION", help="(%(default)s)")
    up.add_argument("--offers", default=",".join(default.offers), metavar="V,V", help="versions on offer (%(default)s)")
    up.add_argument("--replicas", type=int, default=default.replicas, help="API servers (%(default)s)")
    up.add_argument("--secrets", type=int, default=0, metavar="N", help="Secrets to begin with (%(default)s)")
    up.add_argument("--pools", type=int, default=default.pools, metavar="N", help="node pools (%(default)s)")
    up.add_argument("--vaults", type=int, choices=(1, 2), default=default.vaults, help="(%(default)s)")
    up.add_argument("--access", choices=("local", "entra"), default=default.access)
    up.add_argument("--key-vault", choices=("public", "private"), default=default.key_vault)
    up.add_argument("--no-kms", action="store_true", help="begin with KMS off")
    up.add_argument("--supported", action="store_true", help="AKS still supports the version that it begins with")
    up.add_argument("--rtt-ms", type=float, default=0.0, metavar="R", help="round trip time to the API servers")
    up.add_argument("--proxy", action="store_true", help="a proxy before the API servers, for `fault connections`")
    up.add_argument("--roll-seconds", type=float, default=0.0, metavar="S", help="pause between two replicas of a roll")

    up.add_argument(
        "--apiserver-flags", default="", metavar="FLAGS", help="more flags for real API servers, in one word"
    )

    for name, run, text in (
        ("etcd", _etcd, "raw counts of Secrets by stored form"),
        ("requests", _requests, "what the local Azure was asked"),
        ("history", _history, "each encryption configuration, and what etcd held when it came"),
    ):
        _verb(verbs, name, run, text).add_argument("--json", action="store_true")

    fault = _verb(verbs, "fault", _fault, "give it a fault")
    fault.formatter_class = argparse.RawDescriptionHelpFormatter
    fault.epilog = "kinds:\n" + faults.describe()
    fault.add_argument("kind", metavar="KIND")
    fault.add_argument("arg", metavar="ARG", nargs="*")

    everything = verbs.add_parser("list", help="all labs of this user")
    everything.set_defaults(run=_list)
    everything.add_argument("--json", action="store_true")

    ready = verbs.add_parser("ready", help="build the real API servers, or say what cannot run without them")
    ready.set_defaults(run=_ready)

    _verb(verbs, "down", lambda given: down(given.name), "end it and remove what it left")
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text)
    verb.set_defaults(run=run)
    verb.add_argument("name", metavar="NAME")
    return verb


if __name__ == "__main__":
    sys.exit(main())
