"""Where values lie while a model runs: constants, what the caller has, and one buffer for the rest.

The buffer is planned before: two values share bytes where they are never needed at the same time.
"""

from dataclasses import dataclass, field

ALIGNMENT = 4


@dataclass(frozen=True)
class Place:
    """An address: a C expression, or a room of the buffer, and an offset from there."""

    base: str = ""
    """C name of constant or argument; empty for a room"""
    room: int = -1
    offset: str = ""
    """C expression of bytes; empty for none"""
    constant: bool = False

    def at(self, offset: str | int) -> "Place":
        """Further on."""
        if offset in ("", 0, "0"):
            return self
        added = f"{self.offset} + {offset}" if self.offset else str(offset)
        return Place(self.base, self.room, added, self.constant)


@dataclass
class Room:
    """Bytes of the buffer, needed from one moment to another."""

    size: int
    first: int
    last: int
    start: int = -1
    """Where in the buffer, once it is planned"""


@dataclass
class Buffer:
    """Rooms as they are asked for, and the moments at which they are used."""

    rooms: list[Room] = field(default_factory=list)
    moment: int = 0

    def take(self, size: int) -> Place:
        """A new room, needed from now on."""
        self.rooms.append(Room(size, self.moment, self.moment))
        return Place(room=len(self.rooms) - 1)

    def use(self, place: Place) -> None:
        """A place is needed now."""
        if place.room >= 0:
            self.rooms[place.room].last = max(self.rooms[place.room].last, self.moment)

    def plan(self) -> int:
        """Give every room its start; gives the bytes of the whole buffer.

        The largest first, each as low as those that live at the same time let it.
        """
        placed: list[Room] = []
        for room in sorted(self.rooms, key=lambda room: -room.size):
            beside = sorted(
                (other for other in placed if _together(room, other)), key=lambda one: one.start
            )
            start = 0
            for other in beside:
                if start + _rounded(room.size) <= other.start:
                    break
                start = max(start, other.start + _rounded(other.size))
            room.start = start
            placed.append(room)
        return max((room.start + _rounded(room.size) for room in placed), default=0)


def _together(a: Room, b: Room) -> bool:
    return a.first <= b.last and b.first <= a.last


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
