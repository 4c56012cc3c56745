# SPDX-License-Identifier: Apache-2.0
"""What was chosen for the bits of activations, and why, as text."""

from flexcc.quantization.search import Assignment, TensorChoice

__all__ = ["assignment_text"]


def assignment_text(assignment: Assignment) -> str:
    """A line for the outputs, one for the cost, one for each tensor of 16 bits."""
    total = sum(choice.macs for choice in assignment.choices)
    wide = [choice for choice in assignment.choices if choice.bits > 8]
    lines = [
        f"{output}: {reached:.1f} dB, {assignment.widest_db[output]:.1f} dB with 16 bits everywhere"
        for output, reached in assignment.reached_db.items()
    ]
    share = sum(choice.macs for choice in wide) / max(total, 1)
    lines.append(
        f"16 bits for {len(wide)} of {len(assignment.choices)} choices of tensors, which "
        f"{share:.1%} of the multiplications read"
    )
    lines += [_line(choice, total) for choice in wide]
    return "\n".join(lines)


def _line(choice: TensorChoice, total: int) -> str:
    first, *others = choice.tensors
    name = f"{first} and {len(others)} that share its scale" if others else first
    return (
        f"  {name}: 8 bits here alone leave {choice.alone_db:.1f} dB at {choice.output}; "
        f"{choice.macs / max(total, 1):.2%} of the multiplications"
    )
