//! What the probe calls: something of every public part, for each feature set.
//!
//! Extend this with the crate: a part that is not called here is not proved. Each function returns whether the
//! library did what it should; `None` and `Some(false)` are failures. Inputs come from `probe_main` through
//! `black_box`, so that the compiler removes nothing. The probe itself indexes nothing: it must not add panics
//! of its own.

use sockless::frame::{FrameHeader, Masker, MaskingKey, Opcode};
use sockless::message::SliceAssembler;
use sockless::{
    Client, CloseCode, CloseFrame, CloseReason, Config, Connection, ControlPayload, EntropyError, Event,
    Input, Limits, Message, Payload, Role, Server, Timeouts, Timestamp, TransportAction, Utf8Check, Wake,
};

/// Frames as a server receives them: RFC 6455 section 5.7's masked "Hello", a masked ping, a masked Close 1000.
pub static INPUT: [u8; 30] = [
    0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, // text "Hello"
    0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, // ping "Hello"
    0x88, 0x82, 0x00, 0x00, 0x00, 0x00, 0x03, 0xe8, // Close 1000
];

/// Runs every part; `zero` is 0, but the optimiser does not know it.
pub fn all(frames: &[u8], zero: usize) -> bool {
    let mut done = frame_layer(frames) == Some(true);
    done &= server(frames) == Some(true);
    done &= client(zero) == Some(true);
    done &= deadlines(zero);
    #[cfg(feature = "handshake")]
    {
        done &= handshake::both_sides(zero) == Some(true);
        done &= handshake::through_a_proxy() == Some(true);
    }
    #[cfg(feature = "rng")]
    {
        done &= rng() == Some(true);
    }
    #[cfg(feature = "embedded-io")]
    {
        done &= crate::adapters::blocking::all(frames, zero) == Some(true);
    }
    #[cfg(feature = "embedded-io-async")]
    {
        done &= crate::adapters::asynchronous::poll_all(frames, zero) == Some(true);
    }
    #[cfg(feature = "alloc")]
    {
        done &= whole_messages(frames) == Some(true);
    }
    done
}

/// Headers, masking and UTF-8 alone.
fn frame_layer(frames: &[u8]) -> Option<bool> {
    let (header, len) = FrameHeader::decode(frames)?;
    let mut payload = [0; 5];
    Masker::new(header.masking_key?).copy(frames.get(len..)?, &mut payload);
    let mut check = Utf8Check::new();
    check.push(&payload).ok()?;
    let again = FrameHeader::new(true, Opcode::TEXT, 1 << 40, Some(MaskingKey([1, 2, 3, 4]))).encode();
    Some(check.is_complete() && payload == *b"Hello" && again.as_bytes().len() == 14)
}

/// A server that echoes, answers the ping and the Close, and ends.
fn server(frames: &[u8]) -> Option<bool> {
    let config = Config::new().with_limits(Limits::DEFAULT).with_timeouts(Timeouts::SERVER);
    let mut connection = Connection::new(Server, config);
    let mut received = [0; 30];
    // Not `copy_from_slice`, which panics where the lengths differ.
    received.iter_mut().zip(frames).for_each(|(to, from)| *to = *from);
    let mut storage = [0; 16];
    let mut assembler = SliceAssembler::new(&mut storage);
    let mut input = Input::new(&mut received);
    let mut echoed = false;
    while let Some(event) = connection.recv(&mut input).ok()? {
        let Event::Data(data) = event else { continue };
        let Some(Message::Text(text)) = assembler.push(data).ok()? else { continue };
        echoed = connection.writer().frame(Payload::text(text), true).ok()?.as_slices()
            == [b"\x81\x05", b"Hello".as_slice()];
    }
    let mut out = [0; sockless::MAX_CONTROL_FRAME_LEN];
    let pong = connection.poll_transmit(&mut out).ok()?;
    let ponged = out.get(..pong)?.starts_with(b"\x8a\x05Hello");
    while connection.poll_transmit(&mut out).ok()? > 0 {}
    connection.eof().ok()?;
    Some(echoed && ponged && connection.transport() == TransportAction::Close && connection.closed()?.clean)
}

/// A client that sends, pings, closes, and meets a frame that breaks the protocol.
fn client(zero: usize) -> Option<bool> {
    let entropy = |dest: &mut [u8]| -> Result<(), EntropyError> {
        dest.fill(0x55);
        Ok(())
    };
    let mut connection = Connection::new(Client::new(entropy), Config::new());
    let mut out = [0; 200];
    let text = connection.writer().encode(Payload::text("Hello"), true, &mut out).ok()?;
    let ping = connection.writer().ping(ControlPayload::new(b"there?")?, &mut out).ok()?;
    let reason = CloseFrame::new(CloseCode::NORMAL, CloseReason::new("bye")?);
    let close = connection.writer().close(reason, &mut out).ok()?;
    let mut failing = Connection::new(Client::new(entropy), Config::new());
    let mut bad = [0x83, 0x00];
    if let Some(first) = bad.get_mut(zero) {
        *first |= 0x40;
    }
    let error = failing.recv(&mut Input::new(&mut bad)).err()?;
    Some(
        text == 11
            && ping == 12
            && close == 11
            && error.close_code() == Some(CloseCode::PROTOCOL_ERROR)
            && ends(&mut failing),
    )
}

fn ends<R: Role>(connection: &mut Connection<R>) -> bool {
    let mut out = [0; sockless::MAX_CONTROL_FRAME_LEN];
    matches!(connection.poll_transmit(&mut out), Ok(8)) && connection.transport() != TransportAction::Open
}

/// Time is passed as a number.
fn deadlines(zero: usize) -> bool {
    let mut connection = Connection::new(Server, Config::new());
    let result = connection.handle_timeout(Timestamp::from_micros(zero as u64));
    result.is_ok() && matches!(connection.poll_timeout(), Wake::Now | Wake::Never | Wake::At(_))
}

/// Both opening handshakes, and CONNECT through a proxy, in storage on the stack.
#[cfg(feature = "handshake")]
mod handshake {
    use sockless::deflate::{Offer, Policy};
    use sockless::handshake::{client, parse_deflate_answer, server, HeadLimits, OriginPolicy, Uri};
    use sockless::proxy;

    /// RFC 6455 section 1.2 between our own two ends.
    pub fn both_sides(zero: usize) -> Option<bool> {
        let nonce = *b"the sample nonce";
        let uri = Uri::parse("ws://server.example.com/chat").ok()?;
        let request = client::ClientRequest::new(uri)
            .with_subprotocols(&["chat", "superchat"])
            .and_then(|request| request.with_origin("http://example.com"))
            .ok()?
            .with_deflate(&[Offer::DEFAULT]);
        let (mut storage, mut request_bytes) = ([0; 512], [0; 512]);
        let mut client = client::ClientHandshake::new(request, nonce, &mut storage, HeadLimits::default());
        let sent = client.write_request(&mut request_bytes).ok()?;

        let (mut storage, mut response_bytes) = ([0; 512], [0; 512]);
        let mut server = server::ServerHandshake::new(&mut storage, HeadLimits::default());
        let (_, progress) = server.recv(request_bytes.get(zero..sent)?).ok()?;
        let server::ServerProgress::Request(request) = progress else { return None };
        let accept = request.accept(OriginPolicy::Any).ok()?.with_supported_subprotocols(&["superchat"]);
        let accept = accept.with_deflate(&Policy::DEFAULT);
        let (written, session) = accept.write(&mut response_bytes).ok()?;
        let element = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

        let (_, progress) = client.recv(response_bytes.get(..written)?).ok()?;
        let client::ClientProgress::Accepted(accepted) = progress else { return None };
        Some(
            accepted.subprotocol() == Some("superchat")
                && session.deflate.is_some()
                && accepted.negotiated().deflate == session.deflate
                && parse_deflate_answer(element) == session.deflate
                && refuses(request_bytes.get(1..sent)?) == Some(true),
        )
    }

    /// A request that has lost its first letter.
    fn refuses(request: &[u8]) -> Option<bool> {
        let (mut storage, mut response) = ([0; 512], [0; 512]);
        let mut server = server::ServerHandshake::new(&mut storage, HeadLimits::default());
        let error = server.recv(request).err()?;
        let written = server::Reject::for_error(error)?.write(&mut response).ok()?;
        Some(response.get(..written)?.starts_with(b"HTTP/1.1 4"))
    }

    pub fn through_a_proxy() -> Option<bool> {
        let (mut storage, mut out) = ([0; 512], [0; 512]);
        let uri = Uri::parse("wss://server.example.com/").ok()?;
        let mut tunnel = proxy::HttpConnect::new(uri, &mut storage, HeadLimits::default())
            .with_basic_authorization("user", "secret")
            .ok()?;
        let written = tunnel.write_request(&mut out).ok()?;
        let (_, progress) = tunnel.recv(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        let opened = matches!(progress, proxy::HttpConnectProgress::Open);
        let asked = out.get(..written)?.starts_with(b"CONNECT server.example.com:443 HTTP/1.1\r\n");
        let mut socks = proxy::Socks5Connect::new(uri).ok()?.with_credentials("user", "secret").ok()?;
        let (taken, progress) = socks.recv(b"\x05\x00\x05\x00\x00\x01\x7F\0\0\x01\0\x50").ok()?;
        let written = socks.write_next(&mut out).ok()?;
        let asked = asked && out.get(..written)?.ends_with(b"server.example.com\x01\xBB");
        let rejected = socks.recv(b"\x05\x02").ok()?.1;
        let rejection = proxy::Socks5ConnectProgress::Rejected(proxy::Socks5Rejection::NotAllowed);
        Some(
            asked
                && opened
                && taken == 2
                && progress == proxy::Socks5ConnectProgress::Send
                && rejected == rejection,
        )
    }
}

/// Masking keys and nonces from the operating system's randomness.
#[cfg(feature = "rng")]
fn rng() -> Option<bool> {
    use sockless::Entropy;
    let (mut entropy, mut one, mut other) = (sockless::SystemEntropy::new(), [0; 16], [0; 16]);
    entropy.fill(&mut one).ok()?;
    entropy.fill(&mut other).ok()?;
    let mut connection = Connection::new(Client::new(entropy), Config::new());
    let sent = connection.writer().encode(Payload::binary(&one), true, &mut [0; 64]).ok()?;
    Some(one != other && sent == 22)
}

/// Whole messages, bounded output and messages for many, on the heap.
#[cfg(feature = "alloc")]
fn whole_messages(frames: &[u8]) -> Option<bool> {
    use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
    use sockless::message::Prepared;
    let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::default().with_read(512), frames);
    let Action::Take(ready) = endpoint.poll(WriteSide::Ready).ok()? else { return Some(false) };
    let hello = matches!(endpoint.message(ready).ok()?, Some(Message::Text("Hello")));
    endpoint.outbound().feed("Hello").ok()?;
    endpoint.outbound().feed_prepared(&Prepared::new("to all")).ok()?;
    while let Action::Write = endpoint.poll(WriteSide::Ready).ok()? {
        let len = endpoint.output().len();
        endpoint.wrote(len);
    }
    endpoint.eof();
    Some(hello && endpoint.closed().is_some())
}
