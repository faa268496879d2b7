"""What an image says of the module in it is checked: at once, or for a large one before it is used."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.hub.test_layout import image, kept
from tests.hub.test_upload import big_module
from wasmhub_magics.cli import main
from wasmhub_magics.errors import NotAFilter
from wasmhub_magics.filter import pull as pull_filter
from wasmhub_magics.hub import pull
from wasmhub_magics.hub.layout import pack
from wasmhub_magics.hub.notes import MODULE_DIGEST
from wasmhub_magics.hub.pull import LARGE
from wasmhub_magics.module import Module

OTHER = f"sha256:{'0' * 64}"
SAYS = "the module is another than the image says"


def told(module: Module, digest: str) -> str:
    """An image in the store whose annotation says that the module in its archive has this digest."""
    return kept(image([pack(module, name="g").blobs[0]], annotations={MODULE_DIGEST: digest}))


@pytest.fixture(scope="module")
def big() -> Module:
    made = big_module(40)
    assert made.size > LARGE
    return made


def test_a_small_module_that_is_another_than_the_image_says_is_refused_at_once(module: Module) -> None:
    with pytest.raises(NotAFilter, match=SAYS):
        pull(told(module, OTHER))


def test_a_large_module_that_is_another_than_the_image_says_is_refused_before_it_runs(big: Module) -> None:
    found, _ = pull(told(big, OTHER))
    assert found == big
    for _ in range(2):  # it does not become the right one by asking again
        with pytest.raises(NotAFilter, match=SAYS) as caught:
            _ = found.digest
        assert caught.value.do
    with pytest.raises(NotAFilter, match=SAYS):
        _ = pickle.loads(pickle.dumps(found)).digest
    with pytest.raises(NotAFilter, match=SAYS):
        repr(pull_filter(told(big, OTHER)))


def test_a_large_module_that_the_image_tells_right_has_that_digest(big: Module) -> None:
    found, described = pull(told(big, big.digest))
    assert (found.digest, described.module_digest) == (big.digest, big.digest)


def test_an_image_that_tells_no_digest_or_none_that_can_be_is_read_at_once(big: Module) -> None:
    assert pull(told(big, ""))[1].module_digest == big.digest
    with pytest.raises(NotAFilter, match=SAYS):
        pull(told(big, "sha256:short"))


def test_a_digest_that_is_demanded_is_compared_at_once(big: Module) -> None:
    name = told(big, OTHER)
    for wanted in (OTHER, big.digest):
        with pytest.raises(NotAFilter, match=SAYS):
            pull(name, sha256=wanted)
    assert pull(told(big, big.digest), sha256=big.digest)[0] == big


def test_no_file_is_written_of_a_module_that_is_another_than_the_image_says(
    big: Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "pulled.wasm"
    assert main(["pull", told(big, OTHER), "-o", str(written)]) == 1
    assert SAYS in capsys.readouterr().err
    with pytest.raises(NotAFilter, match=SAYS):
        pull_filter(told(big, OTHER)).save(written)
    assert not written.exists()
