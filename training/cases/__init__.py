"""Public data sets on which the pipeline is shown to work: the main job on real data."""
