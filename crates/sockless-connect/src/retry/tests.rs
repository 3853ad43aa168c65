//! Tests of which errors `retry` takes for temporary. Those of closes need connections: they are in `tests/connect`.

use sockless::handshake::{ComposeError, UriError};
use sockless::proxy::Socks5RequestError;

use super::*;
use crate::Stage;

fn io(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

#[test]
fn what_failed_on_the_way_is_temporary_and_what_was_refused_is_not() {
    use io::ErrorKind as Kind;
    let lost = [Kind::UnexpectedEof, Kind::ConnectionReset, Kind::BrokenPipe, Kind::TimedOut];
    let found = [Kind::InvalidData, Kind::InvalidInput, Kind::Other, Kind::PermissionDenied];
    let mut temporary = Vec::from_iter(lost.into_iter().flat_map(|kind| {
        [
            ConnectError::Tls(io(kind)),
            ConnectError::Handshake(Error::Io(io(kind))),
            ProxyError::Tls(io(kind)).into(),
            ProxyError::Failed(io(kind)).into(),
        ]
    }));
    temporary.extend([
        ConnectError::TimedOut(Stage::Resolving),
        ConnectError::TimedOut(Stage::Handshake),
        ConnectError::Resolve(io(Kind::Other)),
        ConnectError::Connect(io(Kind::ConnectionRefused)),
        ConnectError::Handshake(Error::Protocol(ProtocolError::UnexpectedEof)),
        ProxyError::Unreachable(io(Kind::ConnectionRefused)).into(),
        ProxyError::Socks5(Socks5Rejection::HostUnreachable).into(),
        ProxyError::Socks5(Socks5Rejection::GeneralFailure).into(),
    ]);
    for error in temporary {
        assert!(error.is_temporary(), "{error:?}");
    }
    let mut permanent = Vec::from_iter(found.into_iter().flat_map(|kind| {
        [
            ConnectError::Tls(io(kind)),
            ConnectError::Handshake(Error::Io(io(kind))),
            ProxyError::Tls(io(kind)).into(),
            ProxyError::Failed(io(kind)).into(),
        ]
    }));
    permanent.extend([
        ConnectError::InvalidUrl(UriError::Scheme),
        ConnectError::InvalidRequest(ComposeError::InvalidValue),
        ConnectError::TlsUnavailable,
        ConnectError::Handshake(Error::Protocol(ProtocolError::ReservedBits)),
        ProxyError::Request(Socks5RequestError::NameTooLong).into(),
        ProxyError::Socks5(Socks5Rejection::NotAllowed).into(),
        ProxyError::Socks5(Socks5Rejection::CredentialsRefused).into(),
        ProxyError::Socks5(Socks5Rejection::Unassigned(9)).into(),
    ]);
    for error in permanent {
        assert!(!error.is_temporary(), "{error:?}");
    }
}
