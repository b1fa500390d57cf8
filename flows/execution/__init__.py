"""Where a flow's tasks run: threads of this machine, or a Dask cluster."""
