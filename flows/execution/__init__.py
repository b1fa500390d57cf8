"""Execution of a flow's tasks in threads of this process or on a Dask cluster."""
