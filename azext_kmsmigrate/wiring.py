"""Knows both sides: builds the adapters from az's ``cmd``, and turns what they raise into az's own errors."""

from __future__ import annotations

import contextlib
import functools
import getpass
import itertools
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.errors import Kind, KmsMigrateError, Refused
from azext_kmsmigrate.exit_codes import ExitCode, exit_code
from azext_kmsmigrate.handover.form import STDOUT
from azext_kmsmigrate.migration.events import Note
from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName
from azext_kmsmigrate.migration.plan import Goal, Plan
from azext_kmsmigrate.migration.plan_file import PlanFile
from azext_kmsmigrate.ports import Clock, Inspector, Observer
from azext_kmsmigrate.report.cloud_shell import NOTICE, in_cloud_shell
from azext_kmsmigrate.report.form import Form, Surroundings, form_for
from azext_kmsmigrate.report.observers import observer_of
from azext_kmsmigrate.report.output import WIDE, Output
from azext_kmsmigrate.results import PlanDocument
from azext_kmsmigrate.rewrite.rewriting import Limits
from azext_kmsmigrate.runner import Confirm, Runner

_R = TypeVar("_R")
_TIMEOUTS = {"connection_timeout": 20, "read_timeout": 120}  # seconds; the SDK's own are five minutes each
_GLANCE = 3.0  # seconds in which a look tries an API server again: one that is away is a finding, not a long wait


def runner_for(  # pylint: disable=too-many-locals
    cmd: Any,
    group: str,
    name: str,
    limits: Limits,
    progress: str = Form.NONE.value,
    *,
    take_over: bool = False,
    timeout: float | None = None,
    glance: bool = False,
) -> Runner:
    """A runner on the real Azure and the real cluster, with the CLI's own sign-in. Asks neither of them yet.

    ``timeout``: minutes after which the command stops by itself. ``glance``: for a command that asks no check and reads
    three things; it is given no inspectors, and nothing that is slow to load.
    """
    from azure.cli.core.commands.client_factory import get_mgmt_service_client
    from azure.cli.core.profiles import ResourceType

    from azext_kmsmigrate.arm.activity import ArmActivity
    from azext_kmsmigrate.arm.cluster import ArmCluster
    from azext_kmsmigrate.arm.resource_manager import ResourceManager
    from azext_kmsmigrate.arm.role_assigner import ArmRoles
    from azext_kmsmigrate.arm.sign_in import StoredCredential
    from azext_kmsmigrate.clock import SystemClock
    from azext_kmsmigrate.deeds import World
    from azext_kmsmigrate.kube.api import Api
    from azext_kmsmigrate.kube.journal_store import KubeJournalStore
    from azext_kmsmigrate.kube.lease import KubeLease
    from azext_kmsmigrate.kube.nodes import KubeNodes
    from azext_kmsmigrate.kube.secrets import KubeSecrets
    from azext_kmsmigrate.patience import Patience
    from azext_kmsmigrate.stopping import Stop

    cluster = cluster_name(cmd, group, name)
    subscription = cluster.subscription
    credential = StoredCredential(lambda: _credential(cmd.cli_ctx, subscription))
    client = get_mgmt_service_client(
        cmd.cli_ctx,
        ResourceType.MGMT_CONTAINERSERVICE,
        subscription_id=subscription,
        credential=credential,
        **_TIMEOUTS,
    )
    clock = SystemClock()
    resources = get_mgmt_service_client(
        cmd.cli_ctx, ResourceManager, subscription_id=subscription, credential=credential
    ).of(cluster)
    door = _Door(cmd.cli_ctx, client, cluster)
    stop = Stop(clock, timeout)
    observer = _observer(cmd.cli_ctx, progress, stop.at_once)
    patience = Patience(clock, observer.tell, stop.due)
    api = Api(door.open, door.open if glance else door.open_shared, clock, of_run=patience)
    patience.then += [door.hurry, api.hurry]
    stop.then.append(patience.hurry)
    world = World(
        cluster=ArmCluster(client, cluster, clock, patience),
        secrets=KubeSecrets(api),
        journal=KubeJournalStore(api, cluster.resource_id),
        lease=KubeLease(api, clock, _me(), name, tell=observer.tell, take_over=take_over),
        nodes=KubeNodes(api),
        clock=clock,
        observer=observer,
        # On connections of their own: a look that was given up may still be using its one.
        inspectors=()
        if glance
        else (
            *inspectors(client, cluster, Api(door.open, door.open_shared, clock, patience=_GLANCE), clock),
            *azure_inspectors(cmd.cli_ctx, client, resources, cluster),
        ),
        roles=ArmRoles(resources),
        user=_me(),
        stop=stop,
        activity=ArmActivity(resources),
        account=_account(cmd.cli_ctx),
        tool=_tool(),
        patience=patience,
    )
    return Runner(world, limits)


def cluster_name(cmd: Any, group: str, name: str) -> ClusterName:
    """The cluster as the user names it, with az's default subscription where none was named."""
    from azure.cli.core._profile import Profile

    named = str(cmd.cli_ctx.data.get("subscription_id") or "")  # what --subscription says, if anything
    subscription = named or str(Profile(cli_ctx=cmd.cli_ctx).get_subscription_id())
    resource_id = _resource_id(subscription, group, name)
    return ClusterName(name, group, subscription, resource_id, with_subscription=bool(named))


def inspectors(client: Any, cluster: ClusterName, api: Any, clock: Clock) -> tuple[Inspector, ...]:
    """Who looks at what the checks read: one line for each. ``client``: the SDK's ContainerServiceClient."""
    from azext_kmsmigrate.kube.access_inspector import AccessInspector
    from azext_kmsmigrate.kube.secrets import KubeSecrets
    from azext_kmsmigrate.kube.upgrade_inspector import UpgradeInspector
    from azext_kmsmigrate.rewrite.secrets_inspector import SecretsInspector

    return (
        AccessInspector(api),
        SecretsInspector(KubeSecrets(api), clock),
        UpgradeInspector(api),
    )


def azure_inspectors(cli_ctx: Any, client: Any, resources: Any, cluster: ClusterName) -> tuple[Inspector, ...]:
    """Who asks Azure. ``client``: the SDK's ContainerServiceClient; ``resources``: of ``arm.resource_manager``."""
    from azext_kmsmigrate.arm.key_inspector import KeyInspector
    from azext_kmsmigrate.arm.surroundings_inspector import SurroundingsInspector
    from azext_kmsmigrate.arm.upgrade_inspector import UpgradeInspector
    from azext_kmsmigrate.arm.vault_data import VaultData

    suffix = str(cli_ctx.cloud.suffixes.keyvault_dns)
    data = VaultData(_token_source(cli_ctx, cluster, f"https://{suffix.strip('.')}", "the key vault"))
    return (
        KeyInspector(resources, data, suffix),
        SurroundingsInspector(resources),
        UpgradeInspector(client, resources),
    )


def _credential(cli_ctx: Any, subscription: str) -> Any:
    """az's credential for what it has stored now."""
    from azure.cli.core._profile import Profile

    credential, _, _ = Profile(cli_ctx=cli_ctx).get_login_credentials(subscription_id=subscription)
    return credential


def _token_source(cli_ctx: Any, cluster: ClusterName, resource: str, what: str) -> Callable[[], str]:
    def fetch() -> str:
        from azure.cli.core._profile import Profile

        from azext_kmsmigrate.arm.faults import translated

        with translated(f"signing in to {what}", cluster):
            (_, token, _), _, _ = Profile(cli_ctx=cli_ctx).get_raw_token(
                resource=resource, subscription=cluster.subscription
            )
        return str(token)

    return fetch


class _Door:
    """Opens channels to the API server; the credential is fetched when the first one is."""

    def __init__(self, cli_ctx: Any, client: Any, name: ClusterName) -> None:
        self._cli_ctx, self._client, self._name = cli_ctx, client, name
        self._hurried = False

    def hurry(self) -> None:
        """Connections of this kind are not waited for any more."""
        self._hurried = True

    def open(self) -> Any:
        """A fresh connection, for a pass."""
        from azext_kmsmigrate.kube.api import Channel
        from azext_kmsmigrate.kube.wire import Wire

        route, tls, signer = self._parts
        return Channel(Wire(route, tls), signer)

    def open_shared(self) -> Any:
        """The connection of everything else."""
        from azext_kmsmigrate.kube.api import Channel
        from azext_kmsmigrate.kube.rest import HURRIED, PATIENT, RestClient

        route, tls, signer = self._parts
        return Channel(RestClient(route, tls, HURRIED if self._hurried else PATIENT), signer)

    @functools.cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        from azext_kmsmigrate.arm.credentials import user_kubeconfig
        from azext_kmsmigrate.kube.access import BearerToken, Certificate, parse, tls_context
        from azext_kmsmigrate.kube.wire import Route

        kubeconfig = parse(user_kubeconfig(self._client, self._name), self._name)
        app = kubeconfig.server_app
        signer = BearerToken(app, self._fetch_token, time.time, lambda: self._hurried) if app else Certificate()
        return Route.to(kubeconfig.server), tls_context(kubeconfig), signer

    def _fetch_token(self, server_app: str, anew: bool) -> tuple[str, float]:
        from azure.cli.core.auth.util import resource_to_scopes

        from azext_kmsmigrate.arm.faults import translated

        with translated("the cluster's API server", self._name):
            # Made anew each time: it reads what the CLI has stored since (a renewed federated token).
            credential = _credential(self._cli_ctx, self._name.subscription)
            token = credential.get_token(*resource_to_scopes(server_app), **(_issued_lately() if anew else {}))
        return token.token, float(token.expires_on)


def _issued_lately() -> dict[str, str]:
    """A claims challenge, with which az takes no token that it keeps but asks Entra ID for a new one.

    https://learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    an_hour_ago = str(int(time.time()) - 3600)  # this machine's clock may be what is wrong
    return {"claims": json.dumps({"access_token": {"nbf": {"essential": True, "value": an_hour_ago}}})}


def _observer(cli_ctx: Any, progress: str, at_once: list[Callable[[], None]]) -> Observer:
    """Who tells the user, on stderr. ``at_once`` gets what has to be cleared away before a sudden end."""
    from azext_kmsmigrate.clock import SystemClock

    around = _surroundings(cli_ctx)
    observer = observer_of(form_for(Form(progress), around), around, Output(sys.stderr), SystemClock(), at_once)
    if in_cloud_shell(around.environment):
        observer.tell(Note(NOTICE))
    return observer


def _surroundings(cli_ctx: Any) -> Surroundings:
    # On Windows az makes the console understand escape sequences when it means to use colours, and not else.
    drawable = sys.platform != "win32" or cli_ctx.enable_color
    return Surroundings(
        os.environ,
        terminal=bool(sys.stderr.isatty() and drawable),
        encoding=sys.stderr.encoding or "",
        errors_only=bool(cli_ctx.only_show_errors),
        no_bars=cli_ctx.config.getboolean("core", "disable_progress_bar", fallback=False),
        no_colours=cli_ctx.config.getboolean("core", "no_color", fallback=False),
    )


def confirmation(cmd: Any, command: str, *, yes: bool, progress: str) -> Confirm:
    """Shows the plan on stderr and asks once, with No as the default; does neither where nothing is to be shown."""

    def confirm(cluster: ClusterFacts, plan: Plan, found: Preflight) -> None:
        from knack.prompting import NoTTYException, prompt_y_n

        from azext_kmsmigrate.report.checks_text import warning_lines
        from azext_kmsmigrate.report.plan_text import plan_lines, question, shown

        around, output = _surroundings(cmd.cli_ctx), Output(sys.stderr)
        if not yes or form_for(Form(progress), around) is not Form.NONE:
            lines = itertools.chain(plan_lines(cluster, plan), warning_lines(found))
            for line in shown(lines, output.columns if around.terminal else WIDE):
                output.write(f"{line}\n")
        if yes:
            return
        try:
            # The question is for people too: input() would put it on stdout, before the document.
            with contextlib.redirect_stdout(sys.stderr):
                agreed = prompt_y_n(question(cluster, plan), default="n")
        except NoTTYException as error:
            raise Refused(errors.NO_TERMINAL, command=command, **cluster.name.words) from error
        if not agreed:
            raise Refused(errors.DECLINED)

    return confirm


def az_error(error: KmsMigrateError) -> Exception:
    """The azclierror that az prints and turns into its exit code."""
    from azure.cli.core import azclierror

    kinds = {
        Kind.NOT_FOUND: azclierror.ResourceNotFoundError,
        Kind.VALIDATION: azclierror.ValidationError,
        Kind.ARGUMENT: azclierror.InvalidArgumentValueError,
        Kind.MISSING_ARGUMENT: azclierror.RequiredArgumentMissingError,
        Kind.AUTHENTICATION: azclierror.AuthenticationError,
        Kind.FORBIDDEN: azclierror.ForbiddenError,
        Kind.AZURE: azclierror.AzureResponseError,
        Kind.CONNECTION: azclierror.AzureConnectionError,
        Kind.CLUSTER: azclierror.ClientRequestError,
        Kind.CANCELLED: azclierror.ManualInterrupt,
        Kind.INTERNAL: azclierror.CLIInternalError,
    }
    made: Exception = kinds[error.entry.kind](str(error), recommendation=error.fix)
    return made


def command(handler: Callable[..., _R]) -> Callable[..., _R]:
    """A handler whose failures leave as az's own errors, and whose result decides the exit code."""

    @functools.wraps(handler)
    def run(cmd: Any, *args: Any, **kwargs: Any) -> _R:
        from azure.cli.core.azclierror import AzCLIError
        from knack.log import get_logger
        from knack.util import CLIError

        logger = get_logger(__name__)
        verb = handler.__name__.rstrip("_").replace("_", "-")
        try:
            result = handler(cmd, *args, **kwargs)
        except KmsMigrateError as error:
            raise az_error(error) from error
        except (AzCLIError, CLIError):
            raise
        except KeyboardInterrupt as asked:
            stopped = KmsMigrateError(
                errors.INTERRUPTED,
                step=verb,
                cause=str(asked) or "Ctrl-C",
                state="Every Secret is readable; none is lost.",
                next=f"az aks kms-migrate {verb} with the same options",
            )
            logger.error("%s", stopped)
            raise SystemExit(int(ExitCode.STOPPED)) from asked
        except Exception as error:
            from azext_kmsmigrate.arm.faults import of_sign_in, unreachable_for_sign_in

            logger.debug("unexpected", exc_info=True)
            if of_sign_in(error):
                raise az_error(unreachable_for_sign_in(error, "signing in")) from error
            where = f"{handler.__name__} at {_innermost(error)}"
            raise az_error(KmsMigrateError(errors.UNEXPECTED, where=where, failure=type(error).__name__)) from error
        problem = getattr(result, "problem", None)
        if problem:
            logger.error("%s: %s %s", problem.code, problem.what, problem.why)
            logger.error("%s", problem.fix)
        next_command = getattr(result, "next_command", None)
        if next_command and not problem and not cmd.cli_ctx.only_show_errors:
            Output(sys.stderr).write(f"Next: {next_command}\n")
        _leave_with_exit_code(cmd.cli_ctx, result)
        return result

    return run


def as_json(result: object) -> str:
    """A result whole, and as az would print it."""
    from azure.cli.core.util import todict

    return json.dumps(todict(result), indent=2, sort_keys=True) + "\n"


def write_report(path: str, text: str) -> None:
    """Write a file, over an older one; ``-`` is stdout. Raises ``Refused`` (REPORT_FILE)."""
    try:
        if path == STDOUT:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode())
            return
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise Refused(errors.REPORT_FILE, path=path, code=error.strerror or type(error).__name__) from error


def write_plan(path: str, goal: Goal, facts: dict[str, Any], document: PlanDocument) -> PlanDocument:
    """Write the plan to a file that ``start --plan`` reads; the document then names that command."""
    from azure.cli.core.util import todict

    from azext_kmsmigrate.plan_store import save

    if document.next_command and document.pending:
        command = document.next_command.replace(goal.option_text, "", 1)
        document = replace(document, next_command=f"{command} --plan {shlex.quote(path)}")
    save(path, PlanFile(goal, facts, todict(document)))
    return document


def leave_with(cli_ctx: Any, code: ExitCode) -> None:
    """az exits 0 for whatever a handler returns; after it has printed the result, ours may say otherwise."""
    from knack.events import EVENT_CLI_SUCCESSFUL_EXECUTE

    def leave(*_: Any, **__: Any) -> None:
        raise SystemExit(int(code))

    cli_ctx.register_event(EVENT_CLI_SUCCESSFUL_EXECUTE, leave)


def _leave_with_exit_code(cli_ctx: Any, result: object) -> None:
    code = exit_code(result)
    if code is not ExitCode.DONE:
        leave_with(cli_ctx, code)


def _innermost(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"


def _resource_id(subscription: str, group: str, name: str) -> str:
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.ContainerService/managedClusters/{name}"
    )


def _account(cli_ctx: Any) -> str:
    """Who is signed in to Azure, as az keeps it; asks nobody."""
    from azure.cli.core._profile import Profile
    from knack.util import CLIError

    try:
        return str(Profile(cli_ctx=cli_ctx).get_current_account_user())
    except CLIError:
        return ""


def _tool() -> str:
    """This tool and its version, where it is installed as an extension."""
    from azure.cli.core.extension import ExtensionNotInstalledException, get_extension

    try:
        return f"aks-kms-migrate {get_extension('aks-kms-migrate').version}"
    except ExtensionNotInstalledException:
        return "aks-kms-migrate"


def _me() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user} on {socket.gethostname()}, process {os.getpid()}"
