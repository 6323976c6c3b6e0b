"""How a stream begins, and begins again after a reset: where it stands, what it must be told, which state it gets.

For a new stream everything that may fail or be refused happens here, before the first byte of the answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hermes.core.cursor import EARLIEST
from hermes.core.hub import Hub
from hermes.core.recovery import AskStore, Earliest, Fresh, Position, Reset, ResetReason, Resume, decide
from hermes.core.retained import Snapshot
from hermes.core.subscription import Subscription
from hermes.errors import Unavailable
from hermes.streaming.store import Store

LOOK = (1, 1)
"""Events and bytes of a page that is only asked for its floors."""


@dataclass(slots=True)
class Opening:
    """Where a stream stands before its first frame, or after a reset.

    ``reset`` says why events of ``items`` may be missing. ``snapshot`` is the state to send before the replay: of ``items``
    after a reset, else of everything. ``late_snapshot`` is sent when the replay has reached its tip, for everything but
    ``items``. At ``target`` the opening is over. ``recovered`` is ``None`` where there was no cursor.
    """

    position: Position
    target: int
    recovered: bool | None = None
    reset: ResetReason | None = None
    items: tuple[str, ...] = ()
    snapshot: Snapshot | None = None
    late_snapshot: Snapshot | None = None

    @property
    def snapshot_items(self) -> Collection[str] | None:
        """What the first snapshot is for; ``None``: everything."""
        return self.items if self.reset else None


class Opener:
    """Makes openings for one subscription; ``retained`` is ``auto``, ``1`` or ``0`` as in the query."""

    __slots__ = ("_hub", "_retained", "_store", "_subscription")

    def __init__(self, store: Store, hub: Hub, subscription: Subscription, retained: str) -> None:
        self._store = store
        self._hub = hub
        self._subscription = subscription
        self._retained = retained

    def open(self, cursor: str | None) -> Opening:
        """The opening of a new stream; raises :class:`~hermes.errors.Unavailable` if the store is needed and away."""
        start = decide(cursor, self._hub.epoch, self._hub.last)
        if isinstance(start, AskStore):
            start = decide(cursor, self._hub.epoch, self._hub.last, self._store.tip())
        match start:
            case Resume(cursor=place):
                return self._resume(Position(place.epoch, place.number), cursor)
            case Earliest():
                return self._earliest()
            case Reset(reason=reason):
                opening = self._at_tip()
                opening.recovered, opening.reset, opening.items = False, reason, self._subscription.items
                return opening
            case Fresh():
                return self._at_tip()
            case _:
                raise AssertionError("a decision with the store's word is final")

    def after_loss(self, position: Position, lost: tuple[str, ...]) -> Opening:
        """The log has dropped what ``lost`` had above ``position``: a snapshot stands for it, the rest is replayed."""
        opening = Opening(position, position.number, False, ResetReason.HISTORY_TRUNCATED, lost)
        self._stand_in(opening, lost)
        return opening

    def after_epoch(self) -> Opening:
        """An open stream goes on from number 0 of the epoch that this process follows now."""
        position = Position(self._hub.epoch, 0)
        opening = Opening(position, 0, False, ResetReason.EPOCH_CHANGED, self._subscription.items)
        page = self._store.page(0, *LOOK)
        self._stand_in(opening, position.lost(page, self._subscription))
        return opening

    def _stand_in(self, opening: Opening, lost: tuple[str, ...]) -> None:
        """Fetch the state that the reset items get; it stands for all that ``lost`` had up to its tip."""
        if self._retained == "0":
            epoch, tip, _ = self._store.tip()
        else:
            opening.snapshot = self._snapshot(opening.items)
            epoch, tip = opening.snapshot.epoch, opening.snapshot.tip
        if epoch != opening.position.epoch:
            raise Unavailable("the store began a new epoch just now; try again")
        opening.position.skip_to(lost, tip, self._subscription)
        opening.target = max(opening.target, self._hub.last, tip)

    def _snapshot(self, items: tuple[str, ...]) -> Snapshot:
        return self._store.snapshot(self._subscription.sought(items))

    def _at_tip(self) -> Opening:
        if self._retained == "0":
            tip = self._store.tip()
            return Opening(Position(tip.epoch, tip.number), tip.number)
        snapshot = self._snapshot(self._subscription.items)
        return Opening(Position(snapshot.epoch, snapshot.tip), snapshot.tip, snapshot=snapshot)

    def _earliest(self) -> Opening:
        page = self._store.page(0, *LOOK)
        position = Position(page.epoch, page.floor)
        position.accepted = page.tip
        return self._with_late_state(Opening(position, max(self._hub.last, page.tip)), EARLIEST)

    def _resume(self, position: Position, cursor: str | None) -> Opening:
        lost: tuple[str, ...] = ()
        if position.number < self._hub.last:
            page = self._store.page(position.number, *LOOK)
            if page.epoch != position.epoch:
                return self.open(cursor)
            lost = position.lost(page, self._subscription)
        opening = self.after_loss(position, lost) if lost else Opening(position, position.number, True)
        opening.target = max(opening.target, self._hub.last)
        return self._with_late_state(opening, cursor)

    def _with_late_state(self, opening: Opening, cursor: str | None) -> Opening:
        """With ``retained=1`` the state comes after the replay, too."""
        if self._retained != "1":
            return opening
        opening.late_snapshot = self._snapshot(self._subscription.items)
        if opening.late_snapshot.epoch != opening.position.epoch:
            return self.open(cursor)
        opening.target = max(opening.target, opening.late_snapshot.tip)
        return opening
