"""%load_ext, %reload_ext, %unload_ext."""

from __future__ import annotations

import pytest

from tests.notebook.conftest import PYTHON_GREETER, Shell

MAGICS = (
    "wasm_filter", "wasm_test", "wasm_send", "wasm_bench", "wasm_verify", "wasm_push", "wasm_pull",
    "wasm_new", "wasm_export",
    "wasm_search", "wasm_images", "wasm_info", "wasm_login", "wasm_deploy", "wasm_diff", "wasm_status",
    "wasm_history", "wasm_rollback", "wasm_undeploy", "wasm_logs", "wasm_order", "wasm_envoy",
    "wasm_doctor", "wasm_cases", "wasm_fail", "wasm_share", "wasm_sweep",
    "wasm_state", "wasm_inspect",
)  # fmt: skip


def ours(shell: Shell) -> set[str]:
    return {
        name for kind in shell.ip.magics_manager.magics.values() for name in kind if name.startswith("wasm_")
    }


def test_loading_registers_every_magic_and_prints_nothing(
    bare: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.ip.run_cell("%load_ext wasmhub_magics")
    assert ours(bare) == set(MAGICS)
    assert capsys.readouterr().out == ""


def test_a_second_load_changes_nothing(shell: Shell) -> None:
    before = len(shell.ip.configurables), len(shell.ip.Completer.custom_matchers)
    shell.run("%load_ext wasmhub_magics")
    shell.ip.extension_manager.load_extension("wasmhub_magics")
    __import__("wasmhub_magics").load_ipython_extension(shell.ip)
    assert (len(shell.ip.configurables), len(shell.ip.Completer.custom_matchers)) == before


def test_unloading_takes_everything_away(bare: Shell) -> None:
    def state() -> tuple[set[str], list[str]]:
        managed = bare.ip.magics_manager.registry.values()
        parts = [*bare.ip.configurables, *bare.ip.Completer.custom_matchers, *managed]
        homes = [str(getattr(part, "__module__", "")) for part in parts]
        return ours(bare), [home for home in homes if home.startswith("wasmhub")]

    before = state()
    assert before == (set(), [])
    bare.run("%load_ext wasmhub_magics")
    assert state()[1]
    bare.run("%unload_ext wasmhub_magics")
    assert state() == before


def test_filters_survive_a_reload_and_work_afterwards(greeter: Shell) -> None:
    greeter.run("%reload_ext wasmhub_magics")
    assert greeter.run("%wasm_filter greeter").name == "greeter"
    exchange = greeter.run("%wasm_send greeter GET /items -H 'x-user: ada'")
    assert exchange.upstream_request.headers["x-greeting"] == "hello ada"
    assert len([m for m in greeter.ip.Completer.custom_matchers if "wasmhub" in m.__module__]) == 1


def test_filters_survive_when_autoreload_runs_the_session_file_again(greeter: Shell) -> None:
    import importlib

    from wasmhub_magics.notebook import session

    before = session.SESSION
    importlib.reload(session)
    assert session.SESSION is before
    assert greeter.run("%wasm_filter greeter").name == "greeter"


@pytest.mark.parametrize("name", MAGICS)
def test_the_help_of_a_magic_names_its_options(shell: Shell, name: str) -> None:
    text = shell.ip.find_line_magic(name).__doc__
    assert f"%{name}" in text
    parser = shell.ip.find_line_magic(name).parser
    for action in parser._actions:
        assert action.help, action.dest
        assert action.help == "==SUPPRESS==" or action.help.split()[0] in text


def test_settings_are_listed_and_set_by_config(shell: Shell) -> None:
    with_settings = next(each for each in shell.ip.configurables if type(each).__name__ == "WasmMagics")
    shell.run("%config WasmMagics.timeout = 5")
    shell.run("%config WasmMagics.language = 'wat'")
    assert with_settings.timeout == 5
    error = shell.fail("%%wasm_filter greeter\n" + PYTHON_GREETER)
    assert type(error).__name__ == "CompileError"
