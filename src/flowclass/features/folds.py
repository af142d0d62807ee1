"""Groups of flows that belong together, and folds that do not tear them apart.

Flows of one capture, or of one host, look alike for reasons that have nothing to do with the protocol: the same
addresses, path, programs, moment. Where they stand on both sides of a split, a model is asked what it was told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowclass.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def flow_groups(flows: Any, by: Sequence[str] = ("source_file", "src_ip")) -> NDArray[np.int64]:
    """Give each flow the number of its group: flows equal in any of some columns, at once or by way of others.

    Parameters
    ----------
    flows : Result, SavedFlows, pyarrow.Table, or what speaks the Arrow stream interface
        Flow records.
    by : sequence of str
        The columns; by default the capture and the host that began.

    Returns
    -------
    ndarray of int64, shape (n_flows,)
        The group of each flow, from 0 in the order of their first flows.

    Raises
    ------
    ConfigError
        When a column is not there.

    Notes
    -----
    Null ties nothing. With a host that all captures have, a resolver, say, everything is one group: leave that column
    out, or that host's flows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> flows = pa.table({"source_file": ["a", "a", "b", "c"], "src_ip": ["::1", "::2", "::2", "::3"]})
    >>> flow_groups(flows).tolist()
    [0, 0, 0, 1]
    >>> flow_groups(flows, by=["source_file"]).tolist()
    [0, 0, 1, 2]
    """
    import numpy as np
    import pyarrow as pa

    table = flows if isinstance(flows, pa.Table) else pa.table(flows)
    absent = [name for name in by if name not in table.schema.names]
    if absent or isinstance(by, str) or not by:
        raise ConfigError(f"by = {by!r} is not permitted: give columns of the flows, e.g. source_file, src_ip")
    above = list(range(table.num_rows))

    def root(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    for name in by:
        first: dict[Any, int] = {}
        for place, value in enumerate(table.column(name).to_pylist()):
            if value is not None:
                one, other = root(first.setdefault(value, place)), root(place)
                above[max(one, other)] = min(one, other)
    roots = np.array([root(place) for place in range(table.num_rows)], np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


class GroupFolds:
    """Splits flows into folds, a group never into two; as ``sklearn.model_selection`` calls it.

    Parameters
    ----------
    n_splits : int
        Folds; each is the test set once.

    Raises
    ------
    ConfigError
        When there are fewer than 2.

    Notes
    -----
    The groups go, the largest first, each into the fold that has the fewest flows: the same flows always give the same
    folds. Of groups of one size the one that comes first goes first.

    Examples
    --------
    >>> folds = GroupFolds(2)
    >>> for train, test in folds.split([[0]] * 5, groups=["a", "a", "b", "c", "a"]):
    ...     print(train.tolist(), test.tolist())
    [2, 3] [0, 1, 4]
    [0, 1, 4] [2, 3]
    """

    def __init__(self, n_splits: int = 5) -> None:
        if isinstance(n_splits, bool) or not isinstance(n_splits, int) or n_splits < 2:
            raise ConfigError(f"n_splits = {n_splits!r} is not permitted: give a whole number from 2")
        self.n_splits = n_splits

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Give the number of folds; the arguments are scikit-learn's and say nothing here."""
        del X, y, groups
        return self.n_splits

    def split(
        self,
        X: Any,
        y: Any = None,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Give the indices of the training and the test flows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_flows, ...)
            Only its length matters.
        y : ignored
            There for scikit-learn.
        groups : array-like of shape (n_flows,)
            The group of each flow, e.g. of `flow_groups`.

        Raises
        ------
        ConfigError
            When groups are missing, are not as many as flows, or are fewer than folds.
        """
        import numpy as np

        del y
        rows = X.shape[0] if hasattr(X, "shape") else len(X)
        names = np.asarray([] if groups is None else groups)
        if names.shape != (rows,):
            raise ConfigError(f"groups must name the group of each of the {rows:,} flows; flow_groups(flows) does")
        _, first, group, sizes = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
        if len(sizes) < self.n_splits:
            raise ConfigError(f"n_splits = {self.n_splits} is more than the {len(sizes)} groups that there are")
        fold_of = np.empty(len(sizes), np.int64)
        filled = np.zeros(self.n_splits, np.int64)
        for place in np.lexsort((first, -sizes)):
            fold_of[place] = np.argmin(filled)
            filled[fold_of[place]] += sizes[place]
        of_row = fold_of[group]
        for fold in range(self.n_splits):
            yield np.flatnonzero(of_row != fold), np.flatnonzero(of_row == fold)
