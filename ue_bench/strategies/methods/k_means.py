"""k-means, seeded from torch's global generator."""

import torch
from torch import Tensor

ROUNDS = 20  # of Lloyd's algorithm, at most


def k_means(points: Tensor, clusters: int, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return centroids float32 [clusters, d] and the cluster of each point, int64 [n].

    points: [n, d]. weights: how much each counts, [n]; None: all alike. If there are no more
    distinct points than clusters, each is its own centroid exactly, and the remaining centroids
    are zero.
    """
    from sklearn.cluster import KMeans  # takes a second to import
    from threadpoolctl import threadpool_limits

    distinct, nearest = points.unique(dim=0, return_inverse=True)
    if len(distinct) <= clusters:
        missing = clusters - len(distinct)
        return torch.nn.functional.pad(distinct, (0, 0, 0, missing)), nearest
    seed = int(torch.randint(2**31 - 1, ()))
    algorithm = KMeans(clusters, n_init=1, max_iter=ROUNDS, random_state=seed)
    # several threads add in another order, which makes another table of the same seeds
    with threadpool_limits(1):
        weight = None if weights is None else weights.cpu().numpy()
        fitted = algorithm.fit(points.double().cpu().numpy(), sample_weight=weight)
    centroids = torch.from_numpy(fitted.cluster_centers_).to(points)
    return centroids, torch.from_numpy(fitted.labels_).to(points.device, torch.int64)
