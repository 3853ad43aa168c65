//! The opening handshake (RFC 6455 section 4) over HTTP/1.1, both roles, in storage that the caller owns.
