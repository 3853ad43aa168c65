//! What a peer can do wrong in the opening handshake.
//
// Owns: the HTTP status of each failure.
// Must not know: how a rejection is written.

use core::fmt;

/// The peer broke a rule of the opening handshake (RFC 6455 sections 4.1 and 4.2), of HTTP, or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The request line or status line is not HTTP/1.1 (RFC 9112 sections 3 and 4), or is one that HTTP/2 does not allow
    /// (RFC 9113 sections 8.3 and 8.6).
    MalformedStartLine,
    /// A header line is malformed: bare LF or CR, obs-fold, a space before the colon, a control byte (RFC 9112 section
    /// 5). In HTTP/2 also `Connection` or `Upgrade` (RFC 9113 section 8.2.2).
    MalformedHeader,
    /// The head does not fit the storage.
    HeadTooLarge,
    /// The request line is longer than its limit (RFC 9112 section 3).
    TargetTooLong,
    /// The status line is longer than its limit.
    StatusLineTooLong,
    /// A header line is longer than its limit (RFC 9110 section 5.4).
    FieldTooLong,
    /// More header fields than the limit.
    TooManyFields,
    /// A list has too many elements.
    ListTooLong,
    /// HTTP/1.0, or a major version other than 1 (RFC 6455 section 4.2.1).
    UnsupportedHttpVersion,
    /// The request asks for an upgrade, and its method is not GET.
    MethodNotAllowed,
    /// The request target is neither a path nor an http(s) URI (RFC 6455 section 4.2.1), or `:scheme` of an extended
    /// CONNECT is not http(s) (RFC 8441 section 4).
    InvalidTarget,
    /// `:protocol` of an extended CONNECT is not `websocket` (RFC 9220 section 3).
    UnsupportedProtocol,
    /// `Host` is missing, repeated or invalid (RFC 9112 section 3.2).
    InvalidHost,
    /// The token `Upgrade` is missing from `Connection` (RFC 6455 sections 4.1 and 4.2.1).
    InvalidConnection,
    /// `Upgrade` of a response does not say `websocket` (RFC 6455 section 4.1).
    InvalidUpgrade,
    /// `Sec-WebSocket-Key` is missing, repeated, or not the Base64 of 16 bytes (RFC 6455 section 4.2.1).
    InvalidKey,
    /// `Sec-WebSocket-Version` names no version, or several (RFC 6455 section 11.3.5).
    InvalidVersion,
    /// `Sec-WebSocket-Version` is missing or not 13 (RFC 6455 section 4.2.2).
    UnsupportedVersion,
    /// `Origin` is repeated, or not ASCII (RFC 6454 section 6.2).
    InvalidOrigin,
    /// The origin policy refuses the request (RFC 6455 sections 4.2.2 and 10.2).
    OriginRefused,
    /// `Sec-WebSocket-Protocol` is malformed or names a subprotocol twice (RFC 6455 section 4.1).
    InvalidSubprotocols,
    /// `Sec-WebSocket-Extensions` is malformed (RFC 6455 section 9.1).
    InvalidExtensions,
    /// A request to upgrade announces a body: its bytes would be taken for frames (RFC 9112 section 6).
    UnexpectedBody,
    /// A request to upgrade expects `100-continue` or anything else (RFC 9110 section 10.1.1).
    ExpectationFailed,
    /// `Sec-WebSocket-Accept` is missing, repeated or wrong (RFC 6455 section 4.1).
    InvalidAccept,
    /// The server chose a subprotocol that was not offered, or several (RFC 6455 section 4.1).
    UnofferedSubprotocol,
    /// The server chose no subprotocol, and the client requires one.
    SubprotocolRequired,
    /// The server chose an extension that was not offered, or one twice (RFC 6455 section 4.1).
    UnofferedExtension,
    /// The parameters of permessage-deflate are invalid or repeated, or fit no offer (RFC 7692 sections 5.1 and 7).
    InvalidExtensionParameters,
    /// The server chose another extension besides permessage-deflate (RFC 7692 section 5).
    ConflictingExtensions,
    /// Too many responses came before the final one (RFC 9110 section 15.2).
    TooManyInterimResponses,
    /// The answer of a proxy breaks a rule (RFC 9110 section 9.3.6).
    InvalidProxyResponse,
    /// The transport ended before the head was complete, perhaps before anything came.
    UnexpectedEof,
}

impl HandshakeError {
    /// The HTTP status with which a server refuses the request. `None` if no answer can be sent, or on a client.
    pub const fn status(self) -> Option<u16> {
        Some(match self {
            Self::MalformedStartLine
            | Self::MalformedHeader
            | Self::ListTooLong
            | Self::InvalidTarget
            | Self::InvalidHost
            | Self::InvalidConnection
            | Self::InvalidKey
            | Self::InvalidVersion
            | Self::InvalidOrigin
            | Self::InvalidSubprotocols
            | Self::InvalidExtensions
            | Self::UnexpectedBody => 400,
            Self::OriginRefused => 403,
            Self::MethodNotAllowed => 405,
            Self::TargetTooLong => 414,
            Self::ExpectationFailed => 417,
            Self::UnsupportedVersion => 426,
            Self::HeadTooLarge | Self::FieldTooLong | Self::TooManyFields => 431,
            Self::UnsupportedProtocol => 501,
            Self::UnsupportedHttpVersion => 505,
            Self::InvalidUpgrade
            | Self::InvalidAccept
            | Self::UnofferedSubprotocol
            | Self::SubprotocolRequired
            | Self::UnofferedExtension
            | Self::InvalidExtensionParameters
            | Self::ConflictingExtensions
            | Self::TooManyInterimResponses
            | Self::InvalidProxyResponse
            | Self::StatusLineTooLong
            | Self::UnexpectedEof => return None,
        })
    }

    /// A name that stays the same from version to version, for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedStartLine => "malformed-start-line",
            Self::MalformedHeader => "malformed-header",
            Self::HeadTooLarge => "head-too-large",
            Self::TargetTooLong => "target-too-long",
            Self::StatusLineTooLong => "status-line-too-long",
            Self::FieldTooLong => "field-too-long",
            Self::TooManyFields => "too-many-fields",
            Self::ListTooLong => "list-too-long",
            Self::UnsupportedHttpVersion => "unsupported-http-version",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::InvalidTarget => "invalid-target",
            Self::UnsupportedProtocol => "unsupported-protocol",
            Self::InvalidHost => "invalid-host",
            Self::InvalidConnection => "invalid-connection",
            Self::InvalidUpgrade => "invalid-upgrade",
            Self::InvalidKey => "invalid-key",
            Self::InvalidVersion => "invalid-version",
            Self::UnsupportedVersion => "unsupported-version",
            Self::InvalidOrigin => "invalid-origin",
            Self::OriginRefused => "origin-refused",
            Self::InvalidSubprotocols => "invalid-subprotocols",
            Self::InvalidExtensions => "invalid-extensions",
            Self::UnexpectedBody => "unexpected-body",
            Self::ExpectationFailed => "expectation-failed",
            Self::InvalidAccept => "invalid-accept",
            Self::UnofferedSubprotocol => "unoffered-subprotocol",
            Self::SubprotocolRequired => "subprotocol-required",
            Self::UnofferedExtension => "unoffered-extension",
            Self::InvalidExtensionParameters => "invalid-extension-parameters",
            Self::ConflictingExtensions => "conflicting-extensions",
            Self::TooManyInterimResponses => "too-many-interim-responses",
            Self::InvalidProxyResponse => "invalid-proxy-response",
            Self::UnexpectedEof => "unexpected-eof",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedStartLine => "the first line is not HTTP/1.1",
            Self::MalformedHeader => "a header line is malformed",
            Self::HeadTooLarge => "the head is too large",
            Self::TargetTooLong => "the request line is too long",
            Self::StatusLineTooLong => "the status line is too long",
            Self::FieldTooLong => "a header line is too long",
            Self::TooManyFields => "there are too many header fields",
            Self::ListTooLong => "a list in a header field is too long",
            Self::UnsupportedHttpVersion => "the version of HTTP is not 1.1",
            Self::MethodNotAllowed => "the method is not GET",
            Self::InvalidTarget => "the request target is invalid",
            Self::UnsupportedProtocol => ":protocol is not websocket",
            Self::InvalidHost => "Host is missing, repeated or invalid",
            Self::InvalidConnection => "Connection does not name Upgrade",
            Self::InvalidUpgrade => "Upgrade does not say websocket",
            Self::InvalidKey => "Sec-WebSocket-Key is missing, repeated or invalid",
            Self::InvalidVersion => "Sec-WebSocket-Version is malformed or repeated",
            Self::UnsupportedVersion => "Sec-WebSocket-Version is not 13",
            Self::InvalidOrigin => "Origin is repeated or not ASCII",
            Self::OriginRefused => "the page that asks is not of an origin that the OriginPolicy accepts",
            Self::InvalidSubprotocols => "Sec-WebSocket-Protocol is malformed or repeats a name",
            Self::InvalidExtensions => "Sec-WebSocket-Extensions is malformed",
            Self::UnexpectedBody => "a request to upgrade has a body",
            Self::ExpectationFailed => "a request to upgrade has an expectation",
            Self::InvalidAccept => "Sec-WebSocket-Accept is missing, repeated or wrong",
            Self::UnofferedSubprotocol => "the server chose a subprotocol that was not offered",
            Self::SubprotocolRequired => "the server chose no subprotocol",
            Self::UnofferedExtension => "the server chose an extension that was not offered",
            Self::InvalidExtensionParameters => {
                "the parameters of permessage-deflate are invalid or not as offered"
            }
            Self::ConflictingExtensions => "the server chose another extension besides permessage-deflate",
            Self::TooManyInterimResponses => "too many interim responses came",
            Self::InvalidProxyResponse => "the proxy did not open the tunnel",
            Self::UnexpectedEof => "the connection ended before the head of the handshake was complete",
        })
    }
}

impl core::error::Error for HandshakeError {}
