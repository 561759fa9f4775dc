"""Work that joblib hands to a Dask cluster, where one machine is not enough."""

from collections.abc import Iterator
from contextlib import contextmanager

import joblib

from kws.errors import DataError

_PATIENCE_S = 10


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Within the block joblib runs on the workers of a Dask scheduler; without address, here.

    A task whose worker dies is given to another. The workers need this package, and the data and
    cache folders under the same paths.

    Parameters
    ----------
    address : such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    DataError
        When the ``distributed`` package is missing, the scheduler does not answer, or has no
        workers; or when tasks failed on several workers in a row.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise DataError(
            "--dask needs the distributed package: pip install -r requirements-dask.txt"
        ) from error
    try:
        client = Client(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{address}: no Dask scheduler answers there ({type(error).__name__}); "
            "start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise DataError(f"{address}: no workers yet; start some: dask worker {address}")
        with joblib.parallel_config("dask", client=client):
            try:
                yield
            except KilledWorker as error:
                raise DataError(
                    f"{address}: a task ended several workers one after the other (too little "
                    "memory there?); run the same command again, what was made is kept"
                ) from error
