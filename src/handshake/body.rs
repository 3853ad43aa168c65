//! The body of a response that did not open a WebSocket (RFC 9112 sections 6 and 7).
//
// Owns: where the body ends, and taking the chunks out of it.
// Must not know: what the body is for, or any storage. The pieces that it returns are borrowed from the input.

use core::fmt;
use core::time::Duration;

use super::byte_class::is_text;
use super::http1::{trim, Headers};

/// How many octets may be skipped: chunk extensions, leading zeros, trailers. Each octet of the body allows one more.
const MAX_SKIPPED: usize = 16 << 10;

/// Reads the body of a response, however the input is cut, up to a limit.
///
/// It takes the bytes that follow the head, and stores nothing: each call returns a piece of the body that is borrowed
/// from the input. It undoes chunking, and no other `Transfer-Encoding` or `Content-Encoding`.
///
/// ```
/// use sockless::handshake::client::{ClientRequest, ClientHandshake, ClientProgress};
/// use sockless::handshake::{BodyReader, HeadLimits, Uri};
///
/// let request = ClientRequest::new(Uri::parse("ws://example.com/")?);
/// let mut storage = [0; 512];
/// let mut handshake = ClientHandshake::new(request, [0; 16], &mut storage, HeadLimits::DEFAULT);
/// let received = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone";
/// let (taken, progress) = handshake.recv(received)?;
/// let ClientProgress::Rejected(rejected) = progress else { panic!("it is no 101") };
///
/// let mut body = BodyReader::new("GET", rejected.status(), rejected.headers(), 1 << 16)?;
/// let (mut rest, mut came) = (&received[taken..], Vec::new());
/// while !body.is_over() && !rest.is_empty() {
///     let (taken, piece) = body.recv(rest)?;
///     came.extend_from_slice(piece);
///     rest = &rest[taken..];
/// }
/// assert!(body.is_complete());
/// assert_eq!(came, b"gone");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BodyReader {
    state: BodyState,
    /// How many more octets of the body may be returned.
    room: u64,
    /// How many more octets may be skipped.
    skip: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    /// This many octets are still missing.
    Length(u64),
    /// The body ends where the transport ends.
    UntilEnd,
    Chunked(Chunk),
    Complete,
    /// The body is longer than the limit.
    CutOff,
    Failed(BodyError),
}

/// What comes next in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// The size of a chunk. `digits` counts its hexadecimal digits without leading zeros.
    Size {
        size: u64,
        digits: u8,
        begun: bool,
    },
    /// What follows the size on its line.
    Extension {
        size: u64,
    },
    /// The LF of that line.
    SizeEnd {
        size: u64,
    },
    /// This many octets of the chunk are still missing.
    Data(u64),
    /// The CR that follows the chunk, then its LF.
    DataCr,
    DataLf,
    /// The trailer section: at the beginning of a line, inside a line, and at the LF of a line.
    TrailerStart,
    Trailer,
    TrailerEnd,
    /// The LF that ends the body.
    LastLf,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyError {
    /// `Content-Length` is not a number, or there are several with different values (RFC 9112 section 6.3).
    InvalidLength,
    /// A chunk is malformed (RFC 9112 section 7.1).
    InvalidChunk,
    /// Chunk extensions or trailers are too long.
    TooMuchBesides,
    /// The transport ended before the body did.
    UnexpectedEof,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidLength => "Content-Length is invalid, or repeated with another value",
            Self::InvalidChunk => "the body is not chunked as it should be",
            Self::TooMuchBesides => "chunk extensions or trailers are too long",
            Self::UnexpectedEof => "the transport ended inside the body",
        })
    }
}

impl core::error::Error for BodyError {}

impl BodyReader {
    /// For a response with this status and these fields. `method` is that of the request, with case. At most `max`
    /// octets of the body are returned.
    ///
    /// A response to HEAD, and one with a status 1xx, 204 or 304, has no body. After a 2xx to CONNECT a tunnel
    /// begins. Where there are both `Transfer-Encoding` and `Content-Length`, the first counts. Where there is
    /// neither, or `chunked` is not the last coding, the body ends with the transport.
    ///
    /// # Errors
    ///
    /// [`BodyError::InvalidLength`].
    pub fn new(method: &str, status: u16, headers: Headers<'_>, max: u64) -> Result<Self, BodyError> {
        // If no octet is wanted, do not wait for the end of the transport.
        let until_end = if max == 0 { BodyState::CutOff } else { BodyState::UntilEnd };
        let state = match (method, status) {
            ("HEAD", _) | (_, 100..=199 | 204 | 304) | ("CONNECT", 200..=299) => BodyState::Complete,
            _ => match is_chunked(headers) {
                Some(true) => BodyState::Chunked(Chunk::FIRST),
                Some(false) => until_end,
                None => match length(headers)? {
                    Some(0) => BodyState::Complete,
                    Some(len) => BodyState::Length(len),
                    None => until_end,
                },
            },
        };
        Ok(Self { state, room: max, skip: MAX_SKIPPED })
    }

    /// Takes received octets. Returns how many it took, and the piece of the body in them, which may be empty. Call it
    /// again with the rest, until the body [is over](Self::is_over). It takes nothing behind the body.
    ///
    /// # Errors
    ///
    /// [`BodyError`]; later calls return the same error.
    pub fn recv<'i>(&mut self, input: &'i [u8]) -> Result<(usize, &'i [u8]), BodyError> {
        let mut taken = 0_usize;
        loop {
            let rest = input.get(taken..).unwrap_or(&[]);
            let left = match self.state {
                BodyState::Failed(error) => return Err(error),
                BodyState::Complete | BodyState::CutOff => return Ok((taken, &[])),
                BodyState::Length(left) | BodyState::Chunked(Chunk::Data(left)) => left,
                BodyState::UntilEnd => u64::MAX,
                BodyState::Chunked(chunk) => {
                    let Some((byte, _)) = rest.split_first() else { return Ok((taken, &[])) };
                    taken = taken.saturating_add(1);
                    self.state = match self.next(chunk, *byte) {
                        Ok(state) => state,
                        Err(error) => BodyState::Failed(error),
                    };
                    continue;
                }
            };
            // Do not wait for octets that there is no room for.
            if self.room == 0 && (self.state != BodyState::UntilEnd || !rest.is_empty()) {
                self.state = BodyState::CutOff;
                return Ok((taken, &[]));
            }
            let most = usize::try_from(left.min(self.room)).unwrap_or(usize::MAX);
            let piece = rest.get(..most).unwrap_or(rest);
            self.lent(left, piece.len() as u64);
            return Ok((taken.saturating_add(piece.len()), piece));
        }
    }

    /// Call this when the transport has ended.
    ///
    /// # Errors
    ///
    /// [`BodyError::UnexpectedEof`] if the body is not complete; after a failure, that failure.
    pub fn eof(&mut self) -> Result<(), BodyError> {
        match self.state {
            BodyState::UntilEnd => self.state = BodyState::Complete,
            BodyState::Complete | BodyState::CutOff => {}
            BodyState::Failed(error) => return Err(error),
            BodyState::Length(_) | BodyState::Chunked(_) => {
                self.state = BodyState::Failed(BodyError::UnexpectedEof);
                return Err(BodyError::UnexpectedEof);
            }
        }
        Ok(())
    }

    /// Whether the body is complete, was cut off at the limit, or is invalid.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, BodyState::Complete | BodyState::CutOff | BodyState::Failed(_))
    }

    /// Whether the whole body was received.
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, BodyState::Complete)
    }

    /// How long to wait for more, if only the end of the transport ends the body (RFC 9112 section 6.3). A server that
    /// keeps it open all the same would be waited for in vain: when nothing has come for so long, take what is there.
    pub const fn idle_limit(&self) -> Option<Duration> {
        match self.state {
            BodyState::UntilEnd => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Whether the body is longer than the limit. With a limit of 0: whether it may be longer.
    pub const fn is_cut_off(&self) -> bool {
        matches!(self.state, BodyState::CutOff)
    }

    /// Notes that `count` octets were returned, of `left`.
    fn lent(&mut self, left: u64, count: u64) {
        self.room = self.room.saturating_sub(count);
        self.skip = self.skip.saturating_add(usize::try_from(count).unwrap_or(MAX_SKIPPED)).min(MAX_SKIPPED);
        let left = left.saturating_sub(count);
        self.state = match self.state {
            BodyState::Length(_) if left == 0 => BodyState::Complete,
            BodyState::Length(_) | BodyState::Chunked(Chunk::Data(_)) if left > 0 && self.room == 0 => {
                BodyState::CutOff
            }
            BodyState::Length(_) => BodyState::Length(left),
            BodyState::Chunked(Chunk::Data(_)) if left == 0 => BodyState::Chunked(Chunk::DataCr),
            BodyState::Chunked(Chunk::Data(_)) => BodyState::Chunked(Chunk::Data(left)),
            state => state,
        };
    }

    fn next(&mut self, chunk: Chunk, byte: u8) -> Result<BodyState, BodyError> {
        Ok(BodyState::Chunked(match (chunk, byte) {
            (Chunk::Size { size, digits, .. }, _) if byte.is_ascii_hexdigit() => {
                let value = u64::from((byte as char).to_digit(16).unwrap_or(0));
                match (digits, value) {
                    (0, 0) => self.pass(Chunk::Size { size: 0, digits: 0, begun: true })?,
                    (16.., _) => return Err(BodyError::InvalidChunk),
                    _ => Chunk::Size {
                        size: size.wrapping_shl(4) | value,
                        digits: digits.saturating_add(1),
                        begun: true,
                    },
                }
            }
            (Chunk::Size { size, begun: true, .. } | Chunk::Extension { size }, b'\r') => {
                Chunk::SizeEnd { size }
            }
            // RFC 9112 section 7.1.1: unknown extensions are ignored, with the whitespace before them.
            (Chunk::Size { size, begun: true, .. }, b';' | b' ' | b'\t') => {
                self.pass(Chunk::Extension { size })?
            }
            (Chunk::Extension { .. } | Chunk::Trailer, _) if is_text(&[byte]) => self.pass(chunk)?,
            (Chunk::SizeEnd { size: 0 }, b'\n') => Chunk::TrailerStart,
            // Do not wait for octets that there is no room for.
            (Chunk::SizeEnd { .. }, b'\n') if self.room == 0 => return Ok(BodyState::CutOff),
            (Chunk::SizeEnd { size }, b'\n') => Chunk::Data(size),
            (Chunk::DataCr, b'\r') => Chunk::DataLf,
            (Chunk::DataLf, b'\n') => Chunk::FIRST,
            (Chunk::TrailerStart, b'\r') => Chunk::LastLf,
            (Chunk::TrailerStart, _) if is_text(&[byte]) => self.pass(Chunk::Trailer)?,
            (Chunk::Trailer, b'\r') => Chunk::TrailerEnd,
            (Chunk::TrailerEnd, b'\n') => Chunk::TrailerStart,
            (Chunk::LastLf, b'\n') => return Ok(BodyState::Complete),
            _ => return Err(BodyError::InvalidChunk),
        }))
    }

    fn pass(&mut self, next: Chunk) -> Result<Chunk, BodyError> {
        self.skip = self.skip.checked_sub(1).ok_or(BodyError::TooMuchBesides)?;
        Ok(next)
    }
}

impl Chunk {
    const FIRST: Self = Self::Size { size: 0, digits: 0, begun: false };
}

/// Whether `chunked` is the last coding and stands only once (RFC 9112 section 6.1). `None` without any coding.
fn is_chunked(headers: Headers<'_>) -> Option<bool> {
    let codings = headers
        .get_all("Transfer-Encoding")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(trim)
        .filter(|coding| !coding.is_empty());
    let chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let last = codings.clone().last()?;
    Some(chunked(last) && codings.filter(|coding| chunked(coding)).nth(1).is_none())
}

/// The value of `Content-Length` (RFC 9112 section 6.3). Equal values count as one.
fn length(headers: Headers<'_>) -> Result<Option<u64>, BodyError> {
    let mut length = None;
    for value in headers.get_all("Content-Length").flat_map(|value| value.split(|&byte| byte == b',')) {
        let digits = core::str::from_utf8(trim(value)).map_err(|_| BodyError::InvalidLength)?;
        // `parse` would accept a sign.
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BodyError::InvalidLength);
        }
        let value = digits.parse().map_err(|_| BodyError::InvalidLength)?;
        if length.replace(value).is_some_and(|earlier| earlier != value) {
            return Err(BodyError::InvalidLength);
        }
    }
    Ok(length)
}
