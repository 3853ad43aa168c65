//! Captures of packets, made here.

use std::ops::Range;

use etherparse::PacketBuilder;

/// A packet that was seen at this time, in microseconds.
pub type Packet = (u64, Vec<u8>);

pub const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 40000);
pub const SERVER: ([u8; 4], u16) = ([192, 0, 2, 2], 80);

/// One direction of a TCP connection.
#[derive(Clone, Copy)]
pub struct Way {
    pub from: ([u8; 4], u16),
    pub to: ([u8; 4], u16),
    /// The number before that of the first octet.
    pub start: u32,
}

/// Numbers that begin again at 0 amid the stream.
pub const TO_SERVER: Way = Way { from: CLIENT, to: SERVER, start: u32::MAX - 100 };
pub const TO_CLIENT: Way = Way { from: SERVER, to: CLIENT, start: 1000 };

impl Way {
    /// The packet with which it begins.
    pub fn syn(self) -> Vec<u8> {
        let tcp = self.builder().tcp(self.from.1, self.to.1, self.start, 1024).syn();
        let tcp = if self.from == SERVER { tcp.ack(0) } else { tcp };
        let mut packet = Vec::new();
        tcp.write(&mut packet, &[]).unwrap();
        packet
    }

    /// A packet with this part of the stream.
    pub fn part(self, stream: &[u8], part: Range<usize>) -> Vec<u8> {
        let number = self.start.wrapping_add(1).wrapping_add(part.start as u32);
        let tcp = self.builder().tcp(self.from.1, self.to.1, number, 1024).ack(0);
        let tcp = if part.end == stream.len() { tcp.fin() } else { tcp };
        let mut packet = Vec::new();
        tcp.write(&mut packet, &stream[part]).unwrap();
        packet
    }

    fn builder(self) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(self.from.0, self.to.0, 64)
    }
}

/// A pcap file, in this order of bytes, with times in microseconds or nanoseconds.
pub fn pcap(packets: &[Packet], is_big_endian: bool, nanos: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut put = |number: u32| {
        file.extend(if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
    };
    put(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
    put(if is_big_endian { 0x0002_0004 } else { 0x0004_0002 });
    for number in [0, 0, 65535, 1] {
        put(number);
    }
    for (micros, packet) in packets {
        let mut put = |number: u32| {
            file.extend(if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
        };
        put((micros / 1_000_000) as u32);
        put((micros % 1_000_000) as u32 * if nanos { 1000 } else { 1 });
        put(packet.len() as u32);
        put(packet.len() as u32);
        file.extend(packet);
    }
    file
}

/// A pcapng file.
pub fn pcapng(packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let padding = body.len().next_multiple_of(4) - body.len();
        let len = (body.len() + padding + 12) as u32;
        file.extend(kind.to_le_bytes());
        file.extend(len.to_le_bytes());
        file.extend(body);
        file.extend(&[0; 4][..padding]);
        file.extend(len.to_le_bytes());
    };
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend([1, 0, 0, 0]);
    section.extend(u64::MAX.to_le_bytes());
    block(0x0a0d_0d0a, &section);
    block(1, &[1, 0, 0, 0, 0, 0, 0, 0]);
    for (micros, packet) in packets {
        let mut body = Vec::new();
        for number in [0, (micros >> 32) as u32, *micros as u32, packet.len() as u32, packet.len() as u32] {
            body.extend(number.to_le_bytes());
        }
        body.extend(packet);
        block(6, &body);
    }
    file
}
