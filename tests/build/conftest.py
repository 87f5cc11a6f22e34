from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.docker import Docker, private_docker


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    with private_docker() as private:
        yield private
