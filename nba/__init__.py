"""The core: playbook, features, policies, decisions, stores. Imports nothing of the folders above it.

Linear algebra runs in one thread unless the environment says otherwise: our products are small, threads
that wait for each other by spinning make them ten times slower on a shared machine, and one thread sums
in one order. It has to be said before NumPy is loaded, which is why it stands here.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
