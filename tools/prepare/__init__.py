"""The commands of ``prepare_data.py``, one a file: ``add`` its arguments, ``main`` does it."""
