"""What networks that may read a label have in common."""


class ReadsLabels:
    """Beside `nn.Module`: of a network with the field `label_classes`, of which 0 says that it reads no label."""

    label_classes: int

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of what it reads in `given`."""
        return ("label",) if self.label_classes else ()
