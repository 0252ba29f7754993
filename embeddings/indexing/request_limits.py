"""How many texts, and how many tokens, a provider accepts in one request: remembered per process, found by halving."""

from dataclasses import dataclass, field


@dataclass
class Bound:
    """The largest size that was accepted, and the smallest that was refused although no text was at fault."""

    accepted: int = 0
    refused: int | None = None

    def most(self, ceiling: int) -> int:
        """The largest size worth sending: halfway between the two while they differ by more than a quarter."""
        if self.refused is None:
            return ceiling
        gap = self.refused - self.accepted
        if not self.accepted:
            return max(self.refused // 2, 1)
        return min(ceiling, self.accepted if gap <= max(1, self.accepted // 4) else self.accepted + gap // 2)

    def accept(self, size: int) -> None:
        """A request of this size succeeded."""
        self.accepted = max(self.accepted, size)
        if self.refused is not None and self.accepted >= self.refused:
            self.refused = None  # the server accepts more than before

    def refuse(self, size: int) -> None:
        """A request of this size was refused, and accepted in parts."""
        if size > self.accepted:
            self.refused = size if self.refused is None else min(self.refused, size)


@dataclass
class RequestLimits:
    """Of one provider. A refusal is put down to the number of texts, unless as many were accepted before."""

    inputs: Bound = field(default_factory=Bound)
    tokens: Bound = field(default_factory=Bound)

    def accept(self, inputs: int, tokens: int) -> None:
        """A request succeeded."""
        self.inputs.accept(inputs)
        self.tokens.accept(tokens)

    def refuse(self, inputs: int, tokens: int) -> None:
        """A request was refused whose parts were all accepted."""
        if inputs > self.inputs.accepted:
            self.inputs.refuse(inputs)
        else:
            self.tokens.refuse(tokens)
