"""k-means, seeded from torch's global generator."""

import torch
from torch import Tensor

ROUNDS = 20  # of Lloyd's algorithm, at most


def k_means(points: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Centroids float32 [clusters, d] and the cluster of each point, int64 [n], of points [n, d].

    No more distinct points than clusters: each is its own centroid exactly, and the centroids left over are zero.
    """
    from sklearn.cluster import KMeans  # takes a second to import
    from threadpoolctl import threadpool_limits

    distinct, nearest = points.unique(dim=0, return_inverse=True)
    if len(distinct) <= clusters:
        return torch.nn.functional.pad(distinct, (0, 0, 0, clusters - len(distinct))), nearest
    seed = int(torch.randint(2**31 - 1, ()))
    with threadpool_limits(1):  # sums in another order would make another table of the same seeds
        found = KMeans(clusters, n_init=1, max_iter=ROUNDS, random_state=seed).fit(
            points.double().cpu().numpy()
        )
    centroids = torch.from_numpy(found.cluster_centers_).to(points)
    return centroids, torch.from_numpy(found.labels_).to(points.device, torch.int64)
