//! Captures of packets, as tcpdump and Wireshark write them: pcap and pcapng.
//
// Owns: which packets are in a file, when they came, and what TCP is in them.
// Must not know: which connection they belong to.

use std::io::{self, BufRead};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{EtherType, NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError};

use super::show::Show;
use super::streams::{Segment, Streams};
use crate::failure::{Exit, Failure};

/// Bytes that are read at once: more than any packet has.
const BUFFER: usize = 1 << 20;

/// Whether a file that begins like this is a capture of packets.
pub fn is_capture(front: &[u8]) -> bool {
    let Some(magic) = front.first_chunk::<4>() else { return false };
    let magic = u32::from_be_bytes(*magic);
    // pcap with microseconds and with nanoseconds, in both orders of bytes, and pcapng.
    [0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1, 0x0a0d_0d0a].contains(&magic)
}

/// An interface that packets came from.
#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Its ticks in a second.
    ticks: u64,
}

/// Shows the WebSockets in a capture. Whether all of them kept to the rules.
pub fn show(input: impl BufRead + Send, mut streams: Streams, show: &Show) -> Result<bool, Failure> {
    let broken = |error| Failure::new(Exit::Usage, format_args!("the capture is broken: {error}"));
    let mut reader = pcap_parser::create_reader(BUFFER, input).map_err(|error| broken(told(&error)))?;
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut began = None;
    let mut unread: u64 = 0;
    loop {
        let used = match reader.next() {
            Ok((used, block)) => {
                if let Some((interface, ticks, octets)) = packet(&block, &mut interfaces) {
                    let now = time(interface.ticks, ticks);
                    let at = now.saturating_sub(*began.get_or_insert(now));
                    match segment(interface.link, octets) {
                        Ok(Some(segment)) => streams.received(&segment, at, show)?,
                        Ok(None) => {}
                        Err(Unreadable) => unread = unread.saturating_add(1),
                    }
                }
                used
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::UnexpectedEof) => {
                show.note(0, "the capture ends within a packet", None)?;
                break;
            }
            Err(PcapError::Incomplete(_)) => {
                if reader.reader_exhausted() {
                    show.note(0, "the capture ends within a packet", None)?;
                    break;
                }
                reader.refill().map_err(|error| broken(told(&error)))?;
                continue;
            }
            Err(error) => return Err(broken(told(&error))),
        };
        reader.consume(used);
    }
    if unread > 0 {
        show.note(0, &format!("{unread} packets could not be read"), None)?;
    }
    Ok(streams.ended(show)?)
}

fn told<I>(error: &PcapError<I>) -> &'static str {
    match error {
        PcapError::BufferTooSmall => "a packet is longer than 1 MiB",
        PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => "it ends too early",
        PcapError::ReadError => "it cannot be read",
        PcapError::HeaderNotRecognized => "it is neither pcap nor pcapng",
        _ => "a block of it is invalid",
    }
}

/// A packet: where it came from, when in ticks, and its octets.
fn packet<'b>(
    block: &'b PcapBlockOwned<'_>,
    interfaces: &mut Vec<Interface>,
) -> Option<(Interface, u64, &'b [u8])> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let ticks = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            *interfaces = vec![Interface { link: header.network, ticks }];
            None
        }
        PcapBlockOwned::Legacy(packet) => {
            let interface = *interfaces.first()?;
            let ticks = u64::from(packet.ts_sec).saturating_mul(interface.ticks);
            Some((
                interface,
                ticks.saturating_add(packet.ts_usec.into()),
                captured(packet.data, packet.caplen),
            ))
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            None
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
            let ticks = description.ts_resolution().unwrap_or(1_000_000);
            // A file has few of them.
            if interfaces.len() < 1024 {
                interfaces.push(Interface { link: description.linktype, ticks });
            }
            None
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface = *interfaces.get(usize::try_from(packet.if_id).ok()?)?;
            let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            Some((interface, ticks, captured(packet.data, packet.caplen)))
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            Some((*interfaces.first()?, 0, captured(packet.data, packet.origlen)))
        }
        PcapBlockOwned::NG(_) => None,
    }
}

/// Without what fills a block up.
fn captured(octets: &[u8], len: u32) -> &[u8] {
    usize::try_from(len).ok().and_then(|len| octets.get(..len)).unwrap_or(octets)
}

/// So many ticks as a time.
fn time(ticks_a_second: u64, ticks: u64) -> Duration {
    let seconds = ticks.checked_div(ticks_a_second).unwrap_or(0);
    let rest = u128::from(ticks.checked_rem(ticks_a_second).unwrap_or(0));
    let nanos = rest.saturating_mul(1_000_000_000).checked_div(ticks_a_second.into()).unwrap_or(0);
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

/// A packet that is cut, malformed, a fragment, or of a kind that is not known.
struct Unreadable;

/// The TCP in a packet. `None` if there is none.
fn segment(link: Linktype, octets: &[u8]) -> Result<Option<Segment<'_>>, Unreadable> {
    let rest = |len: usize| octets.get(len..).ok_or(Unreadable);
    let sliced = match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(octets),
        Linktype::LINUX_SLL => SlicedPacket::from_linux_sll(octets),
        Linktype::LINUX_SLL2 => {
            let kind = octets.first_chunk::<2>().ok_or(Unreadable)?;
            SlicedPacket::from_ether_type(EtherType(u16::from_be_bytes(*kind)), rest(20)?)
        }
        // The family of addresses is in front.
        Linktype::NULL | Linktype::LOOP => SlicedPacket::from_ip(rest(4)?),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => SlicedPacket::from_ip(octets),
        _ => return Err(Unreadable),
    };
    let packet = sliced.map_err(|_| Unreadable)?;
    let (from, to): (IpAddr, IpAddr) = match &packet.net {
        Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return Ok(None),
    };
    if packet.is_ip_payload_fragmented() {
        return Err(Unreadable);
    }
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else { return Ok(None) };
    Ok(Some(Segment {
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        is_first: tcp.syn(),
        is_answer: tcp.ack(),
        is_last: tcp.fin(),
        is_reset: tcp.rst(),
        octets: tcp.payload(),
    }))
}

/// The front of the input, to tell what it is. It stays there.
pub fn front(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    Ok(input.fill_buf()?.iter().take(4).copied().collect())
}
