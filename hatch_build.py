"""Compiles the playbooks into the wheel, so that an installed k8sdiag parses no YAML when it starts.

A playbook with a mistake fails the build, with file:line. Editable installs compile on first use instead.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompilePlaybooks(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or self.target_name != "wheel":
            return
        sys.dont_write_bytecode = True
        sys.path.insert(0, self.root)
        from k8sdiag.playbook import compile_folder, dump

        compiled = Path(tempfile.mkdtemp(prefix="k8sdiag-")) / "compiled.json"
        compiled.write_bytes(dump(compile_folder(Path(self.root) / "playbooks")))
        build_data["force_include"][str(compiled)] = "k8sdiag/playbooks/compiled.json"
