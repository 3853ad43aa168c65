//! What is measured: the columns of the table.

use crate::client::load::Load;

/// A column: connections, octets of a message, messages in flight on each connection.
#[derive(Clone, Copy)]
pub struct Cell(pub usize, pub usize, pub usize);

/// All of them.
pub const ALL: &[Cell] = &[
    Cell(1, 20, 1),
    Cell(32, 20, 1),
    Cell(256, 20, 1),
    Cell(1000, 20, 1),
    Cell(32, 1 << 10, 1),
    Cell(32, 16 << 10, 1),
    Cell(4, 1 << 20, 1),
    Cell(1, 20, 64),
    Cell(32, 20, 16),
    Cell(32, 1 << 10, 16),
    Cell(32, 16 << 10, 16),
    Cell(4, 1 << 20, 4),
];

impl Cell {
    /// As in the table's head: `32×1K d16`.
    pub fn name(self) -> String {
        let Self(connections, payload, depth) = self;
        let payload = match payload {
            0..0x400 => payload.to_string(),
            0x400..0x10_0000 => format!("{}K", payload >> 10),
            _ => format!("{}M", payload >> 20),
        };
        format!("{connections}×{payload} d{depth}")
    }

    pub fn load(self, text: bool) -> Load {
        Load { connections: self.0, payload: self.1, depth: self.2, text }
    }
}
