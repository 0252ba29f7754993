"""The sample application under granian, as `./dev up` starts the product."""

from collections.abc import Iterator

import pytest
from django.test import override_settings

from config.stack import services
from tests.config.live_processes import free_port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the sample listens."""
    number = free_port()
    with override_settings(WEB_PROCESSES=1):
        service = services.web("tests.config.serving.sample:application", number, header_seconds=1)
    service.start()
    yield number
    service.stop()
