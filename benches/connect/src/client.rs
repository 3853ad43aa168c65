//! A client that is measured.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use cpu_time::ProcessTime;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use sockless_connect::Connect;
use stats_alloc::Region;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{Connector, connect_async_tls_with_config, connect_async_with_config};

use crate::{ALLOCATOR, Result};

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, PartialOrd, Ord)]
pub enum Library {
    Sockless,
    Tungstenite,
    /// TLS alone, and the opening handshake by hand: what is less than that no library can be.
    Rustls,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Plain,
    Tls,
    TlsResumed,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
enum What {
    Cost,
    Memory,
}

#[derive(clap::Args)]
pub struct Options {
    library: Library,
    way: Way,
    what: What,
    port: u16,
    connections: u32,
    /// The server's, as PEM.
    #[arg(allow_hyphen_values = true)]
    certificate: String,
}

/// A connection's share.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Figures {
    pub cpu_us: f64,
    pub allocations: f64,
    pub octets: f64,
    pub resident_kib: f64,
}

pub fn run(options: &Options) -> Result {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(options))?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn measure(options: &Options) -> Result<Figures> {
    let Options { library, way, port, .. } = *options;
    let config = tls(way, &options.certificate)?;
    let url = format!("{}://127.0.0.1:{port}/", if way == Way::Plain { "ws" } else { "wss" });
    match library {
        Library::Sockless => {
            let server = Connect::new(&*url).with_rustls_0_23(config);
            repeat(options, async || server.connect().await.map(|(socket, _)| socket)).await
        }
        Library::Tungstenite if way == Way::Plain => {
            repeat(options, async || {
                connect_async_with_config(&url, None, true).await.map(|(socket, _)| socket)
            })
            .await
        }
        Library::Tungstenite => {
            let connector = Connector::Rustls(config);
            let connect = async || {
                let connector = Some(connector.clone());
                let opened = connect_async_tls_with_config(&url, None, true, connector).await;
                opened.map(|(socket, _)| socket)
            };
            repeat(options, connect).await
        }
        Library::Rustls => {
            let connector = TlsConnector::from(config);
            repeat(options, async || by_hand(&connector, port).await).await
        }
    }
}

/// Connects so many times.
async fn repeat<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    options: &Options,
    connect: impl AsyncFn() -> Result<T, E>,
) -> Result<Figures> {
    let mut kept = Vec::new();
    // What is set up once is no connection's, and for the others there is a session to take up again.
    for _ in 0..8 {
        kept.push(connect().await.map_err(Into::into)?);
    }
    let count = f64::from(options.connections);
    if options.what == What::Memory {
        kept.reserve(options.connections as usize);
        let before = resident_kib()?;
        for _ in 0..options.connections {
            kept.push(connect().await.map_err(Into::into)?);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        return Ok(Figures { resident_kib: (resident_kib()? - before) / count, ..Figures::default() });
    }
    let (region, time) = (Region::new(ALLOCATOR), ProcessTime::now());
    for _ in 0..options.connections {
        drop(connect().await.map_err(Into::into)?);
    }
    let (time, stats) = (time.elapsed(), region.change());
    Ok(Figures {
        cpu_us: time.as_secs_f64() * 1e6 / count,
        allocations: (stats.allocations + stats.reallocations) as f64 / count,
        octets: stats.bytes_allocated as f64 / count,
        ..Figures::default()
    })
}

async fn by_hand(connector: &TlsConnector, port: u16) -> Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut stream = connector.connect(ServerName::try_from("127.0.0.1")?, stream).await?;
    let request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 512];
    let len = stream.read(&mut head).await?;
    match head[..len].starts_with(b"HTTP/1.1 101 ") {
        true => Ok(stream),
        false => Err("the server opened no WebSocket".into()),
    }
}

fn tls(way: Way, certificate: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    if way != Way::TlsResumed {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

/// What the system says is in memory of this process.
fn resident_kib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sockless => "sockless",
            Self::Tungstenite => "tungstenite",
            Self::Rustls => "rustls",
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::TlsResumed => "tls-resumed",
        })
    }
}
