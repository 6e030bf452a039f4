"""The hash that YCSB builds keys and scrambled ranks with: FNV-1a over the eight bytes of a Java ``long``."""

_OFFSET_BASIS = 0xCBF29CE484222325
_PRIME = 1099511628211
_MASK = (1 << 64) - 1
_SIGN = 1 << 63


def fnv_hash64(value: int) -> int:
    """``Utils.fnvhash64`` of Java YCSB: little-endian bytes, and the absolute value of the signed result.

    ``fnv_hash64(0)`` is 6284781860667377211, ``fnv_hash64(1)`` 8517097267634966620. go-ycsb feeds the bytes the
    other way round, which makes its keys nearly sequential.
    """
    digest = _OFFSET_BASIS
    for _ in range(8):
        digest = ((digest ^ (value & 0xFF)) * _PRIME) & _MASK
        value >>= 8
    return (1 << 64) - digest if digest & _SIGN else digest
