"""Kubernetes versions and what the lab's Azure offers as upgrades: pure values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

LONG_TERM = "AKSLongTermSupport"
_FIRST_LONG_TERM = (1, 27)


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """A full version such as ``1.26.15``; raises ``ValueError`` for anything else."""
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
        if not match:
            raise ValueError(f"not a full Kubernetes version: {text!r}")
        return cls(*(int(number) for number in match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def minor_text(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True)
class Offer:
    """A version that clusters may be upgraded to; ``only_from`` names the single version it is offered to.

    ``long_term``: only clusters of the plan AKSLongTermSupport may have it.
    """

    version: Version
    only_from: Version | None = None
    preview: bool = False
    long_term: bool = False

    @classmethod
    def parse(cls, text: str) -> Offer:
        """``X``, ``A>X`` (offered to A alone), and either with the suffix ``?preview`` or ``?lts``."""
        text, mark, suffix = text.partition("?")
        if mark and suffix not in ("preview", "lts"):
            raise ValueError(f"unknown mark on an offered version: ?{suffix}")
        origin, arrow, target = text.rpartition(">")
        return cls(
            version=Version.parse(target),
            only_from=Version.parse(origin) if arrow else None,
            preview=suffix == "preview",
            long_term=suffix == "lts",
        )


@dataclass(frozen=True)
class Offers:
    """Everything that is offered, and the minors that count as supported in the location."""

    offers: tuple[Offer, ...]
    supported_minors: frozenset[tuple[int, int]]

    @classmethod
    def parse(cls, entries: Iterable[str], *, also_supported: Iterable[Version] = ()) -> Offers:
        offers = tuple(Offer.parse(entry) for entry in entries)
        supported = [offer.version for offer in offers] + list(also_supported)
        return cls(offers, frozenset((version.major, version.minor) for version in supported))

    def upgrades_from(self, current: Version) -> tuple[Offer, ...]:
        """What the upgrade profile of a cluster at this version lists, lowest first."""
        offered = {
            offer.version: offer
            for offer in self.offers
            if offer.version > current and offer.only_from in (None, current)
        }
        return tuple(offered[version] for version in sorted(offered))

    def of_plan(self, plan: str | None) -> Offers:
        """What a cluster of this support plan is offered."""
        if plan == LONG_TERM:
            return self
        return replace(self, offers=tuple(offer for offer in self.offers if not offer.long_term))

    def is_supported(self, version: Version) -> bool:
        return (version.major, version.minor) in self.supported_minors

    def plans(self, major: int, minor: int) -> list[str]:
        """The support plans under which a location has this minor."""
        version = Version(major, minor, 0)
        official = ["KubernetesOfficial"] if self.officially(version) else []
        return official + ([LONG_TERM] if (major, minor) >= _FIRST_LONG_TERM else [])

    def officially(self, version: Version) -> bool:
        """Whether the community still supports this minor: it is not one of long-term support alone."""
        here = [offer for offer in self.offers if offer.version.minor_text == version.minor_text]
        return self.is_supported(version) and not (here and all(offer.long_term for offer in here))

    def resolve(self, text: str, current: Version) -> Version:
        """A full version, or an alias such as ``1.27``: the current patch, else the latest offered patch.

        Raises ``ValueError`` for what is neither a version nor an alias of something known.
        """
        if not re.fullmatch(r"\d+\.\d+", text):
            return Version.parse(text)
        if current.minor_text == text:
            return current
        patches = [o.version for o in self.upgrades_from(current) if o.version.minor_text == text]
        if not patches:
            raise ValueError(f"no patch of {text} is offered")
        return max(patches)
