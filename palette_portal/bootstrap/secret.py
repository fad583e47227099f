from dataclasses import dataclass, field


@dataclass(frozen=True)
class Secret:
    """A value that does not show itself; `reveal()` is called only where a document or a request is built."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__
