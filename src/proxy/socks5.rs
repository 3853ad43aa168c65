//! A tunnel through a SOCKS5 proxy (RFC 1928), with or without a user name and a password (RFC 1929).
//
// Owns: the three messages that a client sends, and reading what the proxy answers to each.
// Must not know: how a name becomes an address, or HTTP.

use core::fmt;
use core::net::IpAddr;

use crate::error::BufferTooSmall;
use crate::handshake::head_writer::{compose, HeadWriter};
use crate::handshake::Uri;

/// First in each message but those of RFC 1929.
const SOCKS: u8 = 5;
/// RFC 1929 section 2.
const CREDENTIALS: u8 = 1;

/// The methods of RFC 1928 section 3.
const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHODS: u8 = 0xFF;

/// The types of addresses (RFC 1928 section 5).
const IP_V4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IP_V6: u8 = 4;

/// Asks a SOCKS5 proxy for a tunnel to the host and port of a URI.
///
/// The proxy resolves the name (some programs call that `socks5h`), unless [`with_address`](Self::with_address) does. A
/// host that is an address is sent as one.
///
/// `Debug` does not show the credentials.
pub struct Socks5Connect<'c> {
    uri: Uri<'c>,
    address: Option<IpAddr>,
    credentials: Option<(&'c str, &'c str)>,
    requires_credentials: bool,
    stage: Socks5Stage,
}

debug_states!([] Socks5Connect<'_>, |this| {
    uri: this.uri,
    address: this.address,
    has_credentials: this.credentials.is_some(),
    requires_credentials: this.requires_credentials,
    stage: this.stage,
});

/// What the next octet of the proxy is.
#[derive(Clone, Copy, Debug)]
enum Socks5Stage {
    /// The answer to the methods that we offer.
    MethodVersion,
    Method,
    /// The answer to our credentials.
    CredentialsVersion,
    CredentialsStatus,
    /// The answer to the request.
    ReplyVersion,
    ReplyCode,
    Reserved,
    AddressType,
    NameLength,
    /// One of so many octets of an address and a port, which nobody needs.
    Bound(u16),
    Open,
    Rejected(Socks5Rejection),
    Failed(Socks5Error),
}

/// How far a client has come with a SOCKS5 proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Socks5ConnectProgress {
    /// The proxy's message is not complete.
    NeedMore,
    /// Send what [`write_next`](Socks5Connect::write_next) writes now.
    Send,
    /// The tunnel is open. The octets that were not taken belong to it.
    Open,
    /// The proxy refused. Nothing more is to be read.
    Rejected(Socks5Rejection),
}

/// Why a SOCKS5 proxy opened no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Socks5Rejection {
    /// It accepts none of the methods that were offered (RFC 1928 section 3): perhaps it wants credentials.
    NoAcceptableMethod,
    /// It does not accept the user name and the password (RFC 1929 section 2).
    CredentialsRefused,
    /// 1: general failure. These are the reply codes of RFC 1928 section 6.
    GeneralFailure,
    /// 2: its rules do not allow the connection.
    NotAllowed,
    /// 3: the network is unreachable.
    NetworkUnreachable,
    /// 4: the host is unreachable. Some proxies say so if there is no such name.
    HostUnreachable,
    /// 5: the host refused the connection.
    ConnectionRefused,
    /// 6: the TTL expired. Some proxies say so if connecting took too long.
    TtlExpired,
    /// 7: it does not support `CONNECT`.
    CommandNotSupported,
    /// 8: it does not support this type of address, such as IPv6.
    AddressTypeNotSupported,
    /// A code that RFC 1928 does not assign.
    Unassigned(u8),
}

impl Socks5Rejection {
    const fn of_code(code: u8) -> Self {
        match code {
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            code => Self::Unassigned(code),
        }
    }
}

impl fmt::Display for Socks5Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAcceptableMethod => "the proxy accepts no method of authentication that was offered",
            Self::CredentialsRefused => "the proxy refused the user name and the password",
            Self::GeneralFailure => "the proxy failed",
            Self::NotAllowed => "the proxy's rules do not allow the connection",
            Self::NetworkUnreachable => "the proxy cannot reach the network",
            Self::HostUnreachable => "the proxy cannot reach the host",
            Self::ConnectionRefused => "the host refused the proxy's connection",
            Self::TtlExpired => "the TTL of the proxy's connection expired",
            Self::CommandNotSupported => "the proxy does not support CONNECT",
            Self::AddressTypeNotSupported => "the proxy does not support this type of address",
            Self::Unassigned(code) => return write!(f, "the proxy refused with the unassigned code {code}"),
        })
    }
}

impl core::error::Error for Socks5Rejection {}

/// A SOCKS5 proxy broke a rule of RFC 1928 or RFC 1929, or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Socks5Error {
    /// A message has another version than 5, or than 1 where it answers to credentials. 4 is SOCKS4, and 72 (`H`) is
    /// HTTP.
    UnsupportedVersion(u8),
    /// It chose a method that was not offered (RFC 1928 section 3).
    UnofferedMethod(u8),
    /// The reserved octet of its reply is not 0 (RFC 1928 section 6).
    NonzeroReserved(u8),
    /// The address in its reply has an unknown type (RFC 1928 section 5).
    UnknownAddressType(u8),
    /// The transport ended before the proxy's answer was complete.
    UnexpectedEof,
}

impl fmt::Display for Socks5Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedVersion(version) => write!(f, "the proxy answered in version {version}"),
            Self::UnofferedMethod(method) => {
                write!(f, "the proxy chose method {method}, which was not offered")
            }
            Self::NonzeroReserved(octet) => {
                write!(f, "the reserved octet in the proxy's reply is {octet} instead of 0")
            }
            Self::UnknownAddressType(octet) => {
                write!(f, "the address in the proxy's reply has the unknown type {octet}")
            }
            Self::UnexpectedEof => f.write_str("the connection ended before the proxy's answer was complete"),
        }
    }
}

impl core::error::Error for Socks5Error {}

/// The caller of this crate asked for what SOCKS5 cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Socks5RequestError {
    /// The host's name is longer than 255 octets (RFC 1928 section 5).
    NameTooLong,
    /// The user name does not have 1 to 255 octets (RFC 1929 section 2).
    UsernameLength,
    /// The password does not have 1 to 255 octets (RFC 1929 section 2).
    PasswordLength,
}

impl fmt::Display for Socks5RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameTooLong => "the host's name is longer than 255 octets",
            Self::UsernameLength => "the user name does not have 1 to 255 octets",
            Self::PasswordLength => "the password does not have 1 to 255 octets",
        })
    }
}

impl core::error::Error for Socks5RequestError {}

impl<'c> Socks5Connect<'c> {
    /// The longest message that [`write_next`](Self::write_next) writes, in bytes.
    pub const MAX_MESSAGE_LEN: usize = 3 + 255 + 255;

    /// Begins to ask.
    ///
    /// # Errors
    ///
    /// [`Socks5RequestError::NameTooLong`].
    pub fn new(uri: Uri<'c>) -> Result<Self, Socks5RequestError> {
        let (host, _) = uri.address();
        if u8::try_from(host.len()).is_err() {
            return Err(Socks5RequestError::NameTooLong);
        }
        let address = host.parse().ok();
        let stage = Socks5Stage::MethodVersion;
        Ok(Self { uri, address, credentials: None, requires_credentials: false, stage })
    }

    /// Sends this address instead of the host's name.
    #[must_use]
    pub const fn with_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Offers a user name and a password, which are sent in the clear.
    ///
    /// # Errors
    ///
    /// [`Socks5RequestError::UsernameLength`] or [`Socks5RequestError::PasswordLength`].
    pub fn with_credentials(
        mut self,
        username: &'c str,
        password: &'c str,
    ) -> Result<Self, Socks5RequestError> {
        let fits = |text: &str| (1..=255).contains(&text.len());
        if !fits(username) {
            return Err(Socks5RequestError::UsernameLength);
        }
        if !fits(password) {
            return Err(Socks5RequestError::PasswordLength);
        }
        self.credentials = Some((username, password));
        Ok(self)
    }

    /// Whether to offer no other method than the credentials. Some proxies choose a way by the user name. Default: no.
    #[must_use]
    pub const fn with_required_credentials(mut self, require: bool) -> Self {
        self.requires_credentials = require;
        self
    }

    /// Writes the message that is due into `out`: the methods on offer, the credentials if the proxy asks for them, or
    /// the request. Returns its length, 0 if nothing is to be sent any more. Until the proxy answers it writes the same
    /// again.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], and `out` holds nothing of use. [`MAX_MESSAGE_LEN`](Self::MAX_MESSAGE_LEN) is always
    /// enough.
    pub fn write_next(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        compose(out, |message| match (self.stage, self.credentials) {
            (Socks5Stage::MethodVersion | Socks5Stage::Method, _) => {
                message.bytes(&[SOCKS]);
                write_counted(message, self.methods());
            }
            (
                Socks5Stage::CredentialsVersion | Socks5Stage::CredentialsStatus,
                Some((username, password)),
            ) => {
                message.bytes(&[CREDENTIALS]);
                write_counted(message, username.as_bytes());
                write_counted(message, password.as_bytes());
            }
            (Socks5Stage::Open | Socks5Stage::Rejected(_) | Socks5Stage::Failed(_), _) => {}
            _ => {
                const CONNECT: u8 = 1;
                message.bytes(&[SOCKS, CONNECT, 0]);
                match self.address {
                    None => write_counted(message.bytes(&[DOMAIN_NAME]), self.uri.host().as_bytes()),
                    Some(IpAddr::V4(address)) => {
                        message.bytes(&[IP_V4]).bytes(&address.octets());
                    }
                    Some(IpAddr::V6(address)) => {
                        message.bytes(&[IP_V6]).bytes(&address.octets());
                    }
                }
                message.bytes(&self.uri.port().to_be_bytes());
            }
        })
    }

    /// Takes received octets. Returns how many it took: none after the message that it waits for.
    ///
    /// # Errors
    ///
    /// [`Socks5Error`] if the proxy breaks a rule. Close the transport. Later calls return the same error.
    pub fn recv(&mut self, input: &[u8]) -> Result<(usize, Socks5ConnectProgress), Socks5Error> {
        let mut taken = 0_usize;
        loop {
            let progress = match self.stage {
                Socks5Stage::Failed(error) => return Err(error),
                Socks5Stage::Open => Socks5ConnectProgress::Open,
                Socks5Stage::Rejected(rejection) => Socks5ConnectProgress::Rejected(rejection),
                Socks5Stage::CredentialsVersion | Socks5Stage::ReplyVersion if taken > 0 => {
                    Socks5ConnectProgress::Send
                }
                _ => match input.get(taken) {
                    None => Socks5ConnectProgress::NeedMore,
                    Some(octet) => {
                        self.stage = self.next(*octet).unwrap_or_else(Socks5Stage::Failed);
                        taken = taken.saturating_add(1);
                        continue;
                    }
                },
            };
            return Ok((taken, progress));
        }
    }

    /// Call this when the transport has ended.
    ///
    /// # Errors
    ///
    /// [`Socks5Error::UnexpectedEof`] if the proxy's answer is not complete; after a failure, that failure.
    pub const fn eof(&self) -> Result<(), Socks5Error> {
        match self.stage {
            Socks5Stage::Failed(error) => Err(error),
            Socks5Stage::Open | Socks5Stage::Rejected(_) => Ok(()),
            _ => Err(Socks5Error::UnexpectedEof),
        }
    }

    const fn methods(&self) -> &'static [u8] {
        match self.credentials {
            None => &[NO_AUTHENTICATION],
            Some(_) if self.requires_credentials => &[USERNAME_PASSWORD],
            Some(_) => &[NO_AUTHENTICATION, USERNAME_PASSWORD],
        }
    }

    fn next(&self, octet: u8) -> Result<Socks5Stage, Socks5Error> {
        Ok(match (self.stage, octet) {
            (Socks5Stage::MethodVersion, SOCKS) => Socks5Stage::Method,
            (Socks5Stage::Method, NO_ACCEPTABLE_METHODS) => {
                Socks5Stage::Rejected(Socks5Rejection::NoAcceptableMethod)
            }
            (Socks5Stage::Method, method) if !self.methods().contains(&method) => {
                return Err(Socks5Error::UnofferedMethod(method));
            }
            (Socks5Stage::Method, NO_AUTHENTICATION) => Socks5Stage::ReplyVersion,
            (Socks5Stage::Method, _) => Socks5Stage::CredentialsVersion,
            (Socks5Stage::CredentialsVersion, CREDENTIALS) => Socks5Stage::CredentialsStatus,
            (Socks5Stage::CredentialsStatus, 0) => Socks5Stage::ReplyVersion,
            (Socks5Stage::CredentialsStatus, _) => Socks5Stage::Rejected(Socks5Rejection::CredentialsRefused),
            (Socks5Stage::ReplyVersion, SOCKS) => Socks5Stage::ReplyCode,
            (
                Socks5Stage::MethodVersion | Socks5Stage::CredentialsVersion | Socks5Stage::ReplyVersion,
                version,
            ) => {
                return Err(Socks5Error::UnsupportedVersion(version));
            }
            (Socks5Stage::ReplyCode, 0) => Socks5Stage::Reserved,
            // Some proxies leave the remainder out.
            (Socks5Stage::ReplyCode, code) => Socks5Stage::Rejected(Socks5Rejection::of_code(code)),
            (Socks5Stage::Reserved, 0) => Socks5Stage::AddressType,
            (Socks5Stage::Reserved, octet) => return Err(Socks5Error::NonzeroReserved(octet)),
            // A port follows each address.
            (Socks5Stage::AddressType, IP_V4) => Socks5Stage::Bound(4 + 2),
            (Socks5Stage::AddressType, IP_V6) => Socks5Stage::Bound(16 + 2),
            (Socks5Stage::AddressType, DOMAIN_NAME) => Socks5Stage::NameLength,
            (Socks5Stage::AddressType, octet) => return Err(Socks5Error::UnknownAddressType(octet)),
            (Socks5Stage::NameLength, len) => Socks5Stage::Bound(u16::from(len).saturating_add(2)),
            (Socks5Stage::Bound(0..=1), _) => Socks5Stage::Open,
            (Socks5Stage::Bound(left), _) => Socks5Stage::Bound(left.saturating_sub(1)),
            (stage @ (Socks5Stage::Open | Socks5Stage::Rejected(_) | Socks5Stage::Failed(_)), _) => stage,
        })
    }
}

fn write_counted(message: &mut HeadWriter<'_>, octets: &[u8]) {
    let count = u8::try_from(octets.len()).unwrap_or(u8::MAX);
    message.bytes(&[count]).bytes(octets);
}
