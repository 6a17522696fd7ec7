"""The writer that all tests of generation share."""

import pytest
import torch
from tinywriter import TinyWriter, make_writer


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def writer() -> TinyWriter:
    return make_writer()
