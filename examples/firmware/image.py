"""What is in a linked image: an ELF file of 32 bits, little-endian."""

import struct

WRITE, ALLOC = 1, 2
NOBITS, SYMTAB = 8, 2


class Image:
    """Sizes of its sections as `size` counts them, and its symbols."""

    def __init__(self, path):
        self.path = path
        self.bytes = path.read_bytes()
        offset, entry, count = self.at("<I", 32)[0], *self.at("<2H", 46)
        self.sections = [self.at("<10I", offset + entry * index) for index in range(count)]
        self.sizes = {"text": 0, "data": 0, "bss": 0}
        for _, kind, flags, _, _, size, *_ in self.sections:
            if flags & ALLOC:
                name = "bss" if kind == NOBITS else "data" if flags & WRITE else "text"
                self.sizes[name] += size
        self.symbols = {}
        for _, kind, _, _, at, size, link, _, _, step in self.sections:
            if kind == SYMTAB:
                names = self.sections[link][4]
                for symbol in range(at, at + size, step):
                    name, address = self.at("<2I", symbol)
                    end = self.bytes.index(b"\0", names + name)
                    self.symbols[self.bytes[names + name : end].decode()] = address

    def at(self, form, offset):
        return struct.unpack_from(form, self.bytes, offset)

    def word(self, symbol):
        """The word that stands where a symbol points."""
        address = self.symbols[symbol]
        for _, kind, flags, start, at, size, *_ in self.sections:
            if flags & ALLOC and kind != NOBITS and start <= address < start + size:
                return self.at("<I", at + address - start)[0]
        raise KeyError(symbol)
