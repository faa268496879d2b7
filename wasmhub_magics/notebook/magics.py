"""The magics: one group a file, each magic a thin wrapper of a public function."""

from __future__ import annotations

from .magics_cases import CasesMagics
from .magics_deploy import DeployMagics
from .magics_envoy import EnvoyMagics
from .magics_filter import FilterMagics
from .magics_find import FindMagics
from .magics_hub import HubMagics
from .magics_project import ProjectMagics
from .magics_run import RunMagics

__all__ = ["GROUPS"]

GROUPS = (
    FilterMagics,
    RunMagics,
    CasesMagics,
    HubMagics,
    FindMagics,
    DeployMagics,
    EnvoyMagics,
    ProjectMagics,
)
