//! Errors of the frame engine.
//
// Owns: what the peer can do wrong (`ProtocolError`), and what our own caller can (`SendError`, `BufferTooSmall`).
// Must not know: sockets, adapters, or the opening handshake.

use core::fmt;

use crate::close::CloseCode;

/// The peer broke the protocol or a limit, or is gone: the connection has failed (RFC 6455 section 7.1.7).
///
/// It is reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A client sent a frame that is not masked (section 5.1).
    MissingMask,
    /// A server sent a masked frame (section 5.1).
    UnexpectedMask,
    /// A reserved bit is set that no extension uses, or where it must not be (section 5.2).
    ReservedBits,
    /// The opcode is reserved (section 5.2).
    ReservedOpcode,
    /// A control frame without FIN (section 5.5).
    FragmentedControl,
    /// A control frame of more than 125 octets (section 5.5).
    OversizedControl,
    /// A continuation frame without a message (section 5.4).
    UnexpectedContinuation,
    /// A new message before the last one was complete (section 5.4).
    ExpectedContinuation,
    /// The length is not written in its shortest form (section 5.2).
    NonMinimalLength,
    /// The most significant bit of a 64-bit length is 1 (section 5.2).
    LengthOverflow,
    /// Text is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// The body of a Close frame has one octet (section 5.5.1).
    InvalidClosePayload,
    /// The code of a Close frame must not be sent (section 7.4). This is the code.
    InvalidCloseCode(u16),
    /// The reason of a Close frame is not UTF-8 (section 5.5.1).
    InvalidCloseReason,
    /// A frame announces more than [`Limits::max_frame_size`](crate::Limits::max_frame_size) (section 10.4).
    FrameTooBig,
    /// A message is longer than [`Limits::max_message_size`](crate::Limits::max_message_size) (section 10.4).
    MessageTooBig,
    /// A message has more fragments than [`Limits::max_fragments`](crate::Limits::max_fragments).
    TooManyFragments,
    /// Compressed data is invalid (RFC 7692 section 7.2), or incomplete.
    InvalidCompressedData,
    /// A compressed message inflates to more than [`Limits::max_expansion`](crate::Limits::max_expansion) allows.
    ExpansionTooBig,
    /// A kind of message that this endpoint does not accept (section 7.4.1, code 1003).
    UnsupportedData,
    /// The transport ended before the closing handshake was complete (section 7.1.4).
    UnexpectedEof,
    /// A deadline passed.
    TimedOut(Timeout),
}

/// The timer that ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// The opening handshake took too long.
    OpeningHandshake,
    /// Nothing was received after a keep-alive Ping.
    Pong,
    /// Nothing was received for the idle time.
    Idle,
    /// The next octet of a message was not received in time.
    StalledFragment,
    /// A message is slower than [`Timeouts::message_rate`](crate::Timeouts::message_rate).
    SlowMessage,
    /// The transport has not taken output in time: the peer does not read.
    BlockedOutput,
    /// The peer did not answer a Close, or did not end the transport, in time.
    ClosingHandshake,
}

impl ProtocolError {
    /// The code of the Close to send after this failure. `None` if none can be sent.
    pub const fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::MissingMask
            | Self::UnexpectedMask
            | Self::ReservedBits
            | Self::ReservedOpcode
            | Self::FragmentedControl
            | Self::OversizedControl
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::NonMinimalLength
            | Self::LengthOverflow
            | Self::InvalidClosePayload
            | Self::InvalidCloseCode(_) => Some(CloseCode::PROTOCOL_ERROR),
            Self::InvalidUtf8 | Self::InvalidCloseReason | Self::InvalidCompressedData => {
                Some(CloseCode::INVALID_DATA)
            }
            Self::FrameTooBig | Self::MessageTooBig | Self::ExpansionTooBig => {
                Some(CloseCode::MESSAGE_TOO_BIG)
            }
            Self::UnsupportedData => Some(CloseCode::UNSUPPORTED_DATA),
            Self::TooManyFragments
            | Self::TimedOut(
                Timeout::Pong
                | Timeout::Idle
                | Timeout::StalledFragment
                | Timeout::SlowMessage
                | Timeout::BlockedOutput,
            ) => Some(CloseCode::POLICY_VIOLATION),
            Self::UnexpectedEof | Self::TimedOut(Timeout::OpeningHandshake | Timeout::ClosingHandshake) => {
                None
            }
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingMask => "a client sent a frame that is not masked",
            Self::UnexpectedMask => "a server sent a masked frame",
            Self::ReservedBits => "a reserved bit is set",
            Self::ReservedOpcode => "the opcode is reserved",
            Self::FragmentedControl => "a control frame is fragmented",
            Self::OversizedControl => "a control frame is longer than 125 octets",
            Self::UnexpectedContinuation => "a continuation came where no message is in progress",
            Self::ExpectedContinuation => "a new message came while another is in progress",
            Self::NonMinimalLength => "a length is not in its shortest form",
            Self::LengthOverflow => "the most significant bit of a 64-bit length is set",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::InvalidClosePayload => "a Close frame has a body of one octet",
            Self::InvalidCloseCode(code) => {
                return write!(f, "a Close frame has the code {code}, which must not cross the wire");
            }
            Self::InvalidCloseReason => "the reason of a Close frame is not UTF-8",
            Self::FrameTooBig => "a frame is longer than the limit",
            Self::MessageTooBig => "a message is longer than the limit",
            Self::TooManyFragments => "a message has more fragments than the limit",
            Self::InvalidCompressedData => "a compressed message is invalid",
            Self::ExpansionTooBig => "a compressed message inflates by more than the limit",
            Self::UnsupportedData => "a message is of a kind that is not accepted",
            Self::UnexpectedEof => "the transport ended before the closing handshake was complete",
            Self::TimedOut(Timeout::OpeningHandshake) => "the opening handshake timed out",
            Self::TimedOut(Timeout::Pong) => "no sign of life came after a Ping",
            Self::TimedOut(Timeout::Idle) => "the connection was idle for too long",
            Self::TimedOut(Timeout::StalledFragment) => "a message was begun and stalled",
            Self::TimedOut(Timeout::SlowMessage) => "a message came too slowly",
            Self::TimedOut(Timeout::BlockedOutput) => "the peer did not read for too long",
            Self::TimedOut(Timeout::ClosingHandshake) => "the closing handshake timed out",
        })
    }
}

impl core::error::Error for ProtocolError {}

/// The caller of this crate asked for something that cannot be sent now. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// A Close was sent, the connection has failed, or it has ended (RFC 6455 section 5.5.1).
    Closed,
    /// A fragmented message of the other kind was begun (section 5.4).
    MessageInProgress,
    /// A frame was begun, and its payload is not complete.
    FrameInProgress,
    /// The payload is longer than the frame in progress announced.
    PayloadTooLong,
    /// Bytes that were given as text are not UTF-8 (section 8.1).
    InvalidUtf8,
    /// A server must not send the code 1010 (section 7.4.1).
    CloseCodeNotForServers,
    /// The payload is compressed, but permessage-deflate was not agreed on (RFC 7692 section 6.1).
    CompressionNotNegotiated,
    /// The compressor failed, a defect of the codec.
    CompressionFailed,
    /// The output buffer is too small.
    BufferTooSmall(BufferTooSmall),
    /// No masking key could be drawn (section 5.3).
    Entropy(EntropyError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::MessageInProgress => f.write_str("a fragmented message of the other kind is in progress"),
            Self::FrameInProgress => f.write_str("a frame is in progress"),
            Self::PayloadTooLong => f.write_str("more payload than the frame announced"),
            Self::InvalidUtf8 => f.write_str("text is not UTF-8"),
            Self::CloseCodeNotForServers => f.write_str("a server must not send the code 1010"),
            Self::CompressionNotNegotiated => f.write_str("permessage-deflate was not agreed on"),
            Self::CompressionFailed => f.write_str("the compressor failed"),
            Self::BufferTooSmall(error) => error.fmt(f),
            Self::Entropy(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}

impl From<BufferTooSmall> for SendError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall(error)
    }
}

impl From<EntropyError> for SendError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

/// The source of random bytes failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "implementors of Entropy make it")]
pub struct EntropyError;

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of entropy failed")
    }
}

impl core::error::Error for EntropyError {}

/// The caller's buffer is too small for the output. Nothing was written, and no state has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferTooSmall {
    /// Call again with so many bytes.
    pub required: usize,
}

impl BufferTooSmall {
    pub(crate) const fn new(required: usize) -> Self {
        Self { required }
    }
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the output buffer needs at least {} bytes", self.required)
    }
}

impl core::error::Error for BufferTooSmall {}
