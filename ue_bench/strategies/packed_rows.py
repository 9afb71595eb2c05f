"""Rows of numbers of a few bits: how they lie in memory, and how they are read.

    value = s (code + 1/2 - 2^(b - 1)),     code = 0 ... 2^b - 1

b bits give 2^b values, as far from each other as the step s, and as many above 0 as below; one bit
gives s/2 and -s/2. The codes of a row follow each other, and those of the next row follow them.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from ue_bench.strategies.packed_codes import pack, packed_bytes, read

# Types of so many bytes. Only their size matters.
_TYPES = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.complex128}


class PackedRows(nn.Module):
    """Packed rows of `numbers` numbers, with the steps of their codes.

    codes: uint8, as `packed_codes` packs them.
    steps: float32, one for each part of the rows; or bfloat16 [rows], which has the range of
        float32, where each row has one.

    bits: of a number. ends: where each part that has a step of its own ends, in rows; None: each
    row has one. unfilled: whether there are no numbers yet, as in `Spec`.
    """

    codes: Tensor
    steps: Tensor
    _ends: Tensor
    _step_of_row: Tensor | None

    def __init__(
        self, rows: int, numbers: int, bits: int, ends: Sequence[int] | None, unfilled: bool
    ) -> None:
        super().__init__()
        self.rows = rows
        self.numbers = numbers
        self.bits = bits
        self.below_zero = 2 ** (bits - 1)  # codes of values below 0
        self.by_row = ends is None
        self.one_step = ends is not None and len(ends) == 1
        self._row_type = _type_of_row(numbers * bits, bits)
        device = "meta" if unfilled else None
        n_bytes = packed_bytes(rows * numbers, bits)
        self.register_buffer("codes", torch.zeros(n_bytes, dtype=torch.uint8, device=device))
        if ends is None:
            steps = torch.zeros(rows, dtype=torch.bfloat16, device=device)
        else:
            steps = torch.zeros(len(ends), device=device)
        self.register_buffer("steps", steps)
        self.register_buffer("_ends", torch.tensor(list(ends or ())), persistent=False)
        self.register_buffer("_step_of_row", None, persistent=False)
        # whether a byte holds several single numbers with one step
        self.has_singles = numbers == 1 and self.one_step and bits in (1, 2, 4)
        self._tables: tuple[Tensor, Tensor, float] | None = None
        self._singles: dict[bool, Tensor] = {}  # by whether slots have a sign
        self.register_load_state_dict_post_hook(_forget_tables)

    @torch.no_grad()
    def write(self, rows: Tensor, steps: Tensor) -> None:
        """Keep rows [rows, numbers], rounded to the nearest values, and their steps."""
        self.steps.copy_(steps)
        scaled = (rows / self.spread(self.steps.float())).nan_to_num(0)
        codes = scaled.floor().clamp(-self.below_zero, self.below_zero - 1) + self.below_zero
        self.codes.copy_(pack(codes.to(torch.uint8), self.bits))
        _forget_tables(self, None)

    def read(self, slots: Tensor) -> Tensor:
        """Return the rows of slots of any shape: float32 [..., numbers]."""
        flat = slots.flatten()
        if is_compiling():
            rows = self._read_traced(flat)
        elif self.has_singles:
            return self.singles(flat).view(*slots.shape, 1)
        elif self._row_type is None:
            rows = self._read_numbers(flat)
        else:
            rows = self._read_rows(flat, self._row_type)
        if not self.one_step:
            rows = rows * self.chosen(self.steps, flat).float()
        return rows.view(*slots.shape, self.numbers)

    def singles(self, slots: Tensor, signed: bool = False) -> Tensor:
        """Return single numbers of slots [n]: float32 [n].

        signed: whether slots are twice a place, and one more for the opposite of its number. The
        number follows from a byte, a place in it and a sign: one gather finds the byte, and one the
        number in a table of all of them.
        """
        low_bits = (8 // self.bits).bit_length() - 1 + signed
        values = self._singles.get(signed)
        if values is None:
            values = self._singles[signed] = self._made_singles(low_bits, signed)
        places = self.codes.index_select(0, slots >> low_bits).to(slots.dtype)
        # in place, so that of a large batch more stays in the cache
        places.bitwise_left_shift_(low_bits).bitwise_or_(slots & ((1 << low_bits) - 1))
        return values.index_select(0, places)

    def _made_singles(self, low_bits: int, signed: bool) -> Tensor:
        """Return the number for each byte and each of the low bits of a slot behind it."""
        index = torch.arange(256 << low_bits)
        place = (index & ((1 << low_bits) - 1)) >> int(signed)
        codes = (index >> low_bits >> place * self.bits) & (2**self.bits - 1)
        values = (codes + (0.5 - self.below_zero)) * self._step()
        if signed:
            values = values * (1 - 2 * (index & 1))
        return values.float().to(self.codes.device)

    def spread(self, steps: Tensor) -> Tensor:
        """Return the steps of the parts such that they multiply the rows of the whole pool."""
        if self.one_step:
            return steps
        if not self.by_row:
            steps = steps.index_select(0, self._steps_of_rows())
        return steps.unsqueeze(1)

    def chosen(self, steps: Tensor, flat: Tensor) -> Tensor:
        """Return the steps of the parts such that they multiply the rows of slots [n]."""
        if self.one_step:
            return steps
        if not self.by_row and is_compiling():
            flat = (flat.unsqueeze(1) >= self._ends).sum(1)
        elif not self.by_row:
            flat = self._steps_of_rows().index_select(0, flat)
        return steps.index_select(0, flat).unsqueeze(1)

    def sizes(self) -> list[int]:
        """Return the rows of each part that has a step of its own."""
        ends = self._ends.tolist()
        return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _steps_of_rows(self) -> Tensor:
        """Return the number of the step of each row: int64 [rows]."""
        if self._step_of_row is None:
            parts = torch.arange(len(self._ends), device=self._ends.device)
            sizes = torch.tensor(self.sizes(), device=self._ends.device)
            self._step_of_row = parts.repeat_interleave(sizes)
        return self._step_of_row

    def _read_rows(self, flat: Tensor, row_type: torch.dtype) -> Tensor:
        """Return rows that are whole bytes, times their step where all have one.

        A row is gathered as one number of a wide type, and so are the numbers of a byte, or of a
        byte and a half: a gather of one dimension takes a quarter of the time of one of two.
        """
        if self._tables is None:
            self._tables = self._made_tables(row_type)
        codes, values, step = self._tables
        of_bytes = codes.index_select(0, flat).view(torch.uint8).flatten()
        if self.bits == 8:
            numbers = torch.add(values, of_bytes, alpha=step)
        elif self.bits == 3:
            numbers = values.index_select(0, _fours(of_bytes)).view(torch.float32)
        else:
            numbers = values.index_select(0, of_bytes.int()).view(torch.float32)
        return numbers.view(-1, self.numbers)

    def _read_numbers(self, flat: Tensor) -> Tensor:
        """Return rows number by number, times their step where all have one."""
        places = flat.long().unsqueeze(1)
        if self.numbers > 1:
            places = places * self.numbers + torch.arange(self.numbers, device=flat.device)
        codes = read(self.codes, places, self.bits)
        return self._times_step(codes + (0.5 - self.below_zero))

    def _read_traced(self, flat: Tensor) -> Tensor:
        """Return rows as the other readings do, times their step where all have one.

        A program that is traced keeps no tables from call to call, and exporters know no tensor
        whose numbers are read as those of another type.
        """
        if self._row_type is None or self.bits == 3:
            return self._read_numbers(flat)
        row_bytes = self.numbers * self.bits // 8
        of_bytes = self.codes.view(self.rows, row_bytes).index_select(0, flat).flatten()
        values = self._values_of_bytes().index_select(0, of_bytes.int())
        return values.view(-1, self.numbers)

    def _values_of_bytes(self) -> Tensor:
        """Return the numbers of each byte, times the step where all have one: [256, 8 / bits]."""
        device = self.codes.device
        shifts = torch.arange(0, 8, self.bits, device=device)
        of_bytes = torch.arange(256, device=device).unsqueeze(1)
        codes = torch.bitwise_right_shift(of_bytes, shifts) & (2**self.bits - 1)
        if self.bits < 8:
            return self._times_step(codes + (0.5 - self.below_zero))
        # `_read_rows` adds and multiplies at once, with one rounding, as 64 bits do here
        least = self._times_step(torch.full_like(codes[:1], 0) + (0.5 - self.below_zero))
        return (least.double() + self._times_step(codes.double())).float()

    def _times_step(self, numbers: Tensor) -> Tensor:
        """Return numbers times the step of all rows; as they are where rows have their own."""
        return numbers * self.steps.to(numbers.dtype) if self.one_step else numbers

    def _made_tables(self, row_type: torch.dtype) -> tuple[Tensor, Tensor, float]:
        """Return what reading rows needs, made once.

        These are the codes with a row in each number of a wide type, or in a few of them; the
        values of all bytes, those in one byte as one number of a wide type, of 8 bits the least
        value alone, of 3 bits those of all twelve bits; and the step.
        """
        row_bytes = self.numbers * self.bits // 8
        codes = self.codes[: self.rows * row_bytes].view(row_type)
        if len(codes) > self.rows:
            codes = codes.view(self.rows, -1)
        step = self._step()
        read_at_once = 12 if self.bits == 3 else 8
        shifts = torch.arange(0, read_at_once, self.bits)
        codes_of = (torch.arange(2**read_at_once).unsqueeze(1) >> shifts) & (2**self.bits - 1)
        values = (codes_of + (0.5 - self.below_zero)) * step
        if self.bits in (2, 3, 4):
            values = values.view(_TYPES[4 * len(shifts)]).squeeze(1)
        elif self.bits == 8:
            values = values[0, 0]
        return codes, values.to(codes.device), step

    def _step(self) -> float:
        """Return the step of all rows; 1 where they have steps of their own."""
        return float(self.steps) if self.one_step else 1.0

    def _apply(self, *arguments: Any, **keywords: Any) -> "PackedRows":
        _forget_tables(self, None)  # they are of the tensors that move now
        return super()._apply(*arguments, **keywords)


def _type_of_row(bits_of_row: int, bits: int) -> torch.dtype | None:
    """Return the type as whose numbers a row is gathered; None: a row is no whole bytes.

    Of 3 bits it has to be whole threes of bytes, which hold eight numbers.
    """
    if bits_of_row % 8 or (8 % bits and bits_of_row % 24):
        return None
    return _TYPES[math.gcd(bits_of_row // 8, 16)]


def _fours(of_bytes: Tensor) -> Tensor:
    """Return the twelve bits of each four numbers of 3 bits, two in three bytes: int32 [2 n]."""
    first, second, third = of_bytes.view(-1, 3).int().unbind(1)
    return torch.stack((first | (second & 15) << 8, second >> 4 | third << 4), 1).flatten()


def _forget_tables(rows: PackedRows, _: Any) -> None:
    rows._tables = None
    rows._singles = {}
