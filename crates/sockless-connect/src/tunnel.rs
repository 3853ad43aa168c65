//! The way to a server through a proxy.
//
// Owns: reading and writing what the proxy is asked.
// Must not know: which proxy to take, or the rules of asking it.

use std::io;
use std::time::{Duration, Instant};

use sockless::handshake::{HeadLimits, Uri};
use sockless::proxy::{HttpConnect, HttpConnectProgress, Socks5Connect, Socks5ConnectProgress};

use crate::layer::Layer;
use crate::net::Net;
use crate::proxy::{Proxy, ProxyKind};
use crate::response::ProxyRefusal;
use crate::{ConnectError, ProxyError};

/// Bytes of a read: most answers are shorter.
const READ: usize = 1024;

/// How long the body of a refusal is read where there is no opening time.
const PARTING: Duration = Duration::from_secs(5);

/// What came of asking a proxy.
pub(crate) enum Answer<S> {
    /// A stream to the server.
    Open(S),
    /// The proxy refused, and may go on to say why.
    Refused(S, ProxyRefusal),
}

/// Reads what a proxy says in a refusal, as far as it comes in time.
pub(crate) async fn refused<N: Net>(
    mut stream: N::Stream,
    mut refusal: ProxyRefusal,
    until: Option<Instant>,
) -> ConnectError {
    let until = until.or_else(|| N::now().checked_add(PARTING));
    let mut buf = [0; READ];
    while refusal.needs_more() {
        let idle = refusal.idle_limit().and_then(|limit| N::now().checked_add(limit));
        let until = until.into_iter().chain(idle).min();
        // Whatever ends it, the refusal is the news.
        let Ok(count) = N::read_until(&mut stream, &mut buf, until).await else { break };
        refusal.read(buf.get(..count).unwrap_or(&[]));
    }
    ProxyError::Rejected(refusal.into_response()).into()
}

/// Asks the proxy for a stream to the server of this URI. Of the body of a refusal so many bytes are kept.
pub(crate) async fn through<N: Net>(
    proxy: &Proxy,
    uri: Uri<'_>,
    until: Option<Instant>,
    body: usize,
) -> Result<Answer<N::Stream>, ConnectError> {
    let (host, port) = proxy.address.as_uri().address();
    let addresses = N::resolve((host, port), until).await.map_err(ProxyError::Unreachable)?;
    let mut stream = N::connect(addresses, until).await.map_err(ProxyError::Unreachable)?;
    match proxy.kind {
        ProxyKind::Http => {}
        ProxyKind::Https => {
            #[cfg(feature = "rustls")]
            let layer = proxy.tls.clone().map(Layer::Tls).or_else(Layer::of_process);
            #[cfg(not(feature = "rustls"))]
            let layer = Layer::of_process();
            let layer = layer.ok_or(ConnectError::TlsUnavailable)?;
            stream = N::wrap(stream, layer, host).await.map_err(ProxyError::Tls)?;
        }
        ProxyKind::Socks5 => {
            // The resolver has put the best address first.
            let addresses = N::resolve(uri.address(), until).await.map_err(ConnectError::Resolve)?;
            let first = addresses.first().ok_or_else(|| io::ErrorKind::NotFound.into());
            let address = first.map_err(ConnectError::Resolve)?.ip();
            socks5::<N>(&mut stream, socks5_request(proxy, uri)?.with_address(address)).await?;
            return Ok(Answer::Open(stream));
        }
        ProxyKind::Socks5h => {
            socks5::<N>(&mut stream, socks5_request(proxy, uri)?).await?;
            return Ok(Answer::Open(stream));
        }
    }
    http::<N>(proxy, stream, uri, body).await
}

/// Asks an HTTP proxy.
async fn http<N: Net>(
    proxy: &Proxy,
    mut stream: N::Stream,
    uri: Uri<'_>,
    body: usize,
) -> Result<Answer<N::Stream>, ConnectError> {
    let mut storage = vec![0; HeadLimits::STORAGE];
    let fields: Vec<_> = proxy.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut connect = HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT);
    if let Some((user, password)) = &proxy.credentials {
        connect = connect.with_basic_authorization(user, password)?;
    }
    connect = connect.with_fields(&fields)?;
    let mut request = Vec::new();
    while let Err(short) = connect.write_request(&mut request) {
        request.resize(short.required, 0);
    }
    N::write(&mut stream, &request).await.map_err(ProxyError::Failed)?;
    let mut buf = [0; READ];
    loop {
        let received = read::<N>(&mut stream, &mut buf).await?;
        if received.is_empty() {
            // It may have begun to say why.
            let Some(rejected) = connect.rejected() else {
                return Err(ProxyError::Failed(io::ErrorKind::UnexpectedEof.into()).into());
            };
            let refusal = ProxyRefusal::without_body(&rejected);
            return Ok(Answer::Refused(stream, refusal));
        }
        let progress = connect.recv(received);
        let (taken, progress) = progress.map_err(|error| ProxyError::Failed(io::Error::other(error)))?;
        match progress {
            HttpConnectProgress::Open => {
                nothing_more(received, taken)?;
                return Ok(Answer::Open(stream));
            }
            HttpConnectProgress::Rejected(rejected) => {
                let mut refusal = ProxyRefusal::new(&rejected, body);
                refusal.received(received.get(taken..).unwrap_or(&[]));
                return Ok(Answer::Refused(stream, refusal));
            }
            _ => {}
        }
    }
}

fn socks5_request<'c>(proxy: &'c Proxy, uri: Uri<'c>) -> Result<Socks5Connect<'c>, ProxyError> {
    let connect = Socks5Connect::new(uri).map_err(ProxyError::Request)?;
    match &proxy.credentials {
        Some((user, password)) => connect.with_credentials(user, password).map_err(ProxyError::Request),
        None => Ok(connect),
    }
}

/// Asks a SOCKS5 proxy.
async fn socks5<N: Net>(stream: &mut N::Stream, mut connect: Socks5Connect<'_>) -> Result<(), ConnectError> {
    let mut message = [0; Socks5Connect::MAX_MESSAGE_LEN];
    let mut buf = [0; READ];
    let mut is_due = true;
    loop {
        if is_due {
            // A message has room in the longest one.
            let len = connect.write_next(&mut message).unwrap_or(0);
            let message = message.get(..len).unwrap_or(&[]);
            N::write(stream, message).await.map_err(ProxyError::Failed)?;
        }
        let received = read::<N>(stream, &mut buf).await?;
        if received.is_empty() {
            return Err(ProxyError::Failed(io::ErrorKind::UnexpectedEof.into()).into());
        }
        let (taken, progress) =
            connect.recv(received).map_err(|error| ProxyError::Failed(io::Error::other(error)))?;
        match progress {
            Socks5ConnectProgress::Open => return nothing_more(received, taken),
            Socks5ConnectProgress::Rejected(rejection) => return Err(ProxyError::Socks5(rejection).into()),
            Socks5ConnectProgress::Send => nothing_more(received, taken)?,
            _ => {}
        }
        is_due = matches!(progress, Socks5ConnectProgress::Send);
    }
}

/// Behind the proxy's answer nothing may come: it waits for us, and so does the server behind it.
fn nothing_more(received: &[u8], taken: usize) -> Result<(), ConnectError> {
    match received.len() == taken {
        true => Ok(()),
        false => {
            let error = io::Error::new(io::ErrorKind::InvalidData, "the proxy sent more than its answer");
            Err(ProxyError::Failed(error).into())
        }
    }
}

/// Reads once; nothing is the end.
async fn read<'b, N: Net>(stream: &mut N::Stream, buf: &'b mut [u8]) -> Result<&'b [u8], ProxyError> {
    let read = N::read(stream, buf).await.map_err(ProxyError::Failed)?;
    Ok(buf.get(..read).unwrap_or(&[]))
}
