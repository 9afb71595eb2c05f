"""What the forkserver loads once for the processes of all runs.

This is the code of a run and of its data, and what torch loads with its first optimizer, which take
longer to load than a short run takes. Nothing is computed here, because a thread that torch starts
would not survive the fork.
"""

import torch

import ue_bench.data.loading
import ue_bench.data.movielens.movielens
import ue_bench.data.synthetic
import ue_bench.data.table.builtin
import ue_bench.training.run_once  # noqa: F401

torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
