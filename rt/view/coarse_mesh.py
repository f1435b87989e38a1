"""Makes meshes small enough for a browser: vertices that are close to each other become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vertices = NDArray[np.float32]
Faces = NDArray[np.uint32]

FIRST_CELL_OF_SIZE = 1.0 / 200.0
CELL_GROWTH = 1.3


def coarse_mesh(vertices: Vertices, faces: Faces, most_faces: int) -> tuple[Vertices, Faces]:
    """Returns a mesh with at most so many faces.

    Vertices in the same cell of a grid are replaced by their mean, and faces that lose a corner are left out.
    The grid becomes coarser until the mesh is small enough.

    Args:
        vertices: (n, 3) vertices [m].
        faces: (m, 3) indices of the corners of the triangles.
        most_faces: largest number of faces, >= 12: those of a box.

    Returns:
        Vertices and faces of the coarser mesh; the mesh itself if it is small enough.
    """
    if len(faces) <= most_faces:
        return vertices, faces
    cell_m = FIRST_CELL_OF_SIZE * float(np.ptp(vertices, axis=0).max())
    while True:
        found = _clustered(vertices, faces, cell_m)
        if len(found[1]) <= most_faces:
            return found
        cell_m *= CELL_GROWTH


def _clustered(vertices: Vertices, faces: Faces, cell_m: float) -> tuple[Vertices, Faces]:
    cells = np.floor((vertices - vertices.min(axis=0)) / cell_m).astype(np.int64)
    _, cluster, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    cluster = cluster.reshape(-1)
    means = np.stack([np.bincount(cluster, vertices[:, axis]) for axis in range(3)], axis=1) / counts[:, None]
    corners = cluster[faces]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    # Several faces may give the same triangle: with its smallest corner first, it is equal.
    turn = corners.argmin(axis=1)[:, None]
    corners = np.take_along_axis(corners, (turn + np.arange(3)) % 3, axis=1)
    corners = np.unique(corners, axis=0)
    return means.astype(np.float32), corners.astype(np.uint32)
