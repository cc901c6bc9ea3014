"""Decides the exit code of a command that printed its result. az's own 0 to 3 keep their meaning."""

from __future__ import annotations

import enum

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.need import Need
from azext_kmsmigrate.listing import ListedCluster
from azext_kmsmigrate.results import CheckReport, RunResult, RunState, Verification


@enum.unique
class ExitCode(enum.IntEnum):
    """0 done; 1 failure (az's own); 2 bad command line and 3 not found are az's; ours start at 10."""

    DONE = 0
    FAILURE = 1
    PENDING = 10  # plan --detailed-exit-code: steps are left
    UNPROVEN = 11  # checks or Secrets failed, or it is not proven how they are stored; list: not all could be read
    STOPPED = 20  # stopped at a safe point before the end: the same command continues


_UNPROVEN = {errors.SECRETS_FAILED.code, errors.NOT_PROVEN.code, errors.SAME_FAILURE.code, errors.CHECKS_FAILED.code}


def exit_code(result: object) -> ExitCode:
    """The exit code that belongs to a command's result."""
    if isinstance(result, list):
        unknown = any(isinstance(row, ListedCluster) and row.needs == Need.UNKNOWN.value for row in result)
        return ExitCode.UNPROVEN if unknown else ExitCode.DONE
    if isinstance(result, Verification):
        return ExitCode.DONE if result.verified else ExitCode.UNPROVEN
    if isinstance(result, CheckReport):
        return ExitCode.DONE if result.ready else ExitCode.UNPROVEN
    if not isinstance(result, RunResult):
        return ExitCode.DONE
    if result.state is RunState.STOPPED and result.problem:
        return ExitCode.STOPPED
    if result.state is not RunState.FAILED:
        return ExitCode.DONE
    return ExitCode.FAILURE if result.problem and result.problem.code not in _UNPROVEN else ExitCode.UNPROVEN
