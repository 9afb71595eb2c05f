"""What the forkserver loads, once for the processes of all runs: the code of a run, and what torch loads with a first optimizer.

That is 1.5 seconds of each run otherwise. Nothing is computed here: a thread that torch starts would not survive the fork.
"""

import torch

import ue_bench.training.run_once  # noqa: F401

torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
