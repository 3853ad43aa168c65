//! The way to a server through a proxy.
//
// Owns: reading and writing what the proxy is asked.
// Must not know: which proxy to take, or the rules of asking it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{ready, Poll};

use sockless::handshake::{HeadLimits, Uri};
use sockless::proxy::{HttpConnect, HttpConnectProgress, Socks5Connect, Socks5ConnectProgress};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{lookup_host, TcpStream};

use crate::layer::Layer;
use crate::proxy::{Proxy, ProxyKind};
use crate::staggered::{first_of, interleaved};
use crate::{ConnectError, ProxyError, Response, Stream};

/// Bytes of a read: most answers are shorter.
const READ: usize = 1024;

/// A stream to the server of this URI, which the proxy has connected to.
pub(crate) async fn through(proxy: &Proxy, uri: Uri<'_>) -> Result<Stream, ConnectError> {
    let (host, port) = proxy.address.as_uri().address();
    let addresses = lookup_host((host, port)).await.map_err(ProxyError::Unreachable)?;
    let stream =
        first_of(interleaved(addresses), TcpStream::connect).await.map_err(ProxyError::Unreachable)?;
    stream.set_nodelay(true).map_err(ProxyError::Unreachable)?;
    let mut stream = Stream::tcp(stream);
    match proxy.kind {
        ProxyKind::Http => http(proxy, &mut stream, uri).await?,
        ProxyKind::Https => {
            #[cfg(feature = "rustls")]
            let layer = proxy.tls.clone().map(Layer::Tls).or_else(Layer::of_process);
            #[cfg(not(feature = "rustls"))]
            let layer = Layer::of_process();
            let layer = layer.ok_or(ConnectError::TlsUnavailable)?;
            stream = layer.wrap(stream, host).await.map_err(ProxyError::Tls)?;
            http(proxy, &mut stream, uri).await?;
        }
        ProxyKind::Socks5 => {
            // The resolver has put the best address first.
            let mut addresses = lookup_host(uri.address()).await.map_err(ConnectError::Resolve)?;
            let first = addresses.next().ok_or_else(|| io::ErrorKind::NotFound.into());
            let address = first.map_err(ConnectError::Resolve)?.ip();
            socks5(&mut stream, socks5_request(proxy, uri)?.with_address(address)).await?;
        }
        ProxyKind::Socks5h => socks5(&mut stream, socks5_request(proxy, uri)?).await?,
    }
    Ok(stream)
}

/// Asks an HTTP proxy.
async fn http(proxy: &Proxy, stream: &mut Stream, uri: Uri<'_>) -> Result<(), ConnectError> {
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
    write(stream, &request).await?;
    let mut buf = [0; READ];
    loop {
        let received = read(stream, &mut buf).await?;
        let (taken, progress) = match received {
            // It may have begun to say why.
            [] => match connect.rejected() {
                Some(rejected) => (0, HttpConnectProgress::Rejected(rejected)),
                None => return Err(ProxyError::Failed(io::ErrorKind::UnexpectedEof.into()).into()),
            },
            received => {
                connect.recv(received).map_err(|error| ProxyError::Failed(io::Error::other(error)))?
            }
        };
        match progress {
            HttpConnectProgress::Open => return nothing_more(received, taken),
            HttpConnectProgress::Rejected(rejected) => {
                return Err(ProxyError::Rejected(Response::of_rejected(&rejected)).into());
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
async fn socks5(stream: &mut Stream, mut connect: Socks5Connect<'_>) -> Result<(), ConnectError> {
    let mut message = [0; Socks5Connect::MAX_MESSAGE_LEN];
    let mut buf = [0; READ];
    let mut is_due = true;
    loop {
        if is_due {
            // A message has room in the longest one.
            let len = connect.write_next(&mut message).unwrap_or(0);
            write(stream, message.get(..len).unwrap_or(&[])).await?;
        }
        let received = read(stream, &mut buf).await?;
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
async fn read<'b>(stream: &mut Stream, buf: &'b mut [u8]) -> Result<&'b [u8], ProxyError> {
    let mut space = ReadBuf::new(buf);
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut space)).await.map_err(ProxyError::Failed)?;
    let read = space.filled().len();
    Ok(buf.get(..read).unwrap_or(&[]))
}

async fn write(stream: &mut Stream, mut octets: &[u8]) -> Result<(), ProxyError> {
    let writing = poll_fn(|cx| {
        while !octets.is_empty() {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, octets))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            octets = octets.get(written..).unwrap_or(&[]);
        }
        Pin::new(&mut *stream).poll_flush(cx)
    });
    writing.await.map_err(ProxyError::Failed)
}
