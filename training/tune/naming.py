"""Which study is meant: the one that was named, or the one about this playbook, reward and data."""

from __future__ import annotations

from collections.abc import Mapping

from nba.errors import NotFound
from nba.playbook.compile import Playbook
from training.tune.study import Basis, Known, Study, known_studies, opened

_NEXT = 1_000  # studies of one basis before anybody should tidy up


def moment_of(storage: str, study: str | None, playbook: Playbook) -> float | None:
    """The moment at which a study's log was read: of the one named, else of the playbook's last.

    None where there is none. Raises StoreUnavailable.
    """
    known = known_studies(storage)
    if study is not None:
        return known[study].as_of if study in known else None
    mine = [one.as_of for one in known.values() if one.basis.get("playbook") == playbook.version]
    return mine[-1] if mine else None


def study_of(
    storage: str, named: str | None, playbook: Playbook, basis: Basis, as_of: float, *, resume: bool | None
) -> Study:
    """The study that was named, else the latest of this basis, made where there is none.

    Args:
        resume: True where it has to be there, False for a new one, None for either.

    Raises:
        NotFound, InvalidInput, StoreUnavailable: as in `training.tune.study.opened`.
    """
    if named is not None:
        return opened(storage, named, basis, as_of, resume=resume)
    known = known_studies(storage)
    mine = [name for name, one in known.items() if one.basis == dict(basis)]
    if mine and resume is not False:
        return opened(storage, mine[-1], basis, as_of, resume=True)
    if resume:
        raise NotFound(_nothing_to_resume(known, basis))
    name = next(n for n in _names(playbook, basis) if n not in known)
    return opened(storage, name, basis, as_of, resume=None)


def _names(book: Playbook, basis: Basis) -> list[str]:
    first = f"{book.spec.name}-{basis['data'][:8]}"
    return [first, *(f"{first}-{i}" for i in range(2, _NEXT))]


def _nothing_to_resume(known: Mapping[str, Known], basis: Basis) -> str:
    if not known:
        return "there is no study to resume; leave --resume out"
    name, last = list(known.items())[-1]
    differ = ", ".join(k for k in basis if last.basis.get(k) != basis[k])
    return (
        f"no study is about this playbook, reward and data; {name}, the last one, differs in {differ}."
        " The same --as-of gives the same data; leave --resume out for a new one"
    )
