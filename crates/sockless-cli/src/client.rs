//! The server to connect to, and how, as the command line says.

use std::env;
use std::time::Duration;

use clap::Args;
use sockless_connect::{ClientConfig, Connect, Proxy, Tls};

use crate::failure::Failure;
use crate::insecure;
use crate::terminal::warn;
use crate::values::{duration, field, file, secret, size, unreadable};

/// What is asked of the server.
#[derive(Args)]
pub struct Request {
    /// A header field to send. `@FILE` reads one field a line from the file.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", help_heading = "Request")]
    headers: Vec<String>,
    /// A cookie to send.
    #[arg(long, value_name = "NAME=VALUE|@FILE", help_heading = "Request")]
    cookie: Vec<String>,
    /// A token to send in the field Authorization. Without it and --basic, SOCKLESS_BEARER of the environment counts.
    #[arg(long, value_name = "TOKEN|@FILE", help_heading = "Request", conflicts_with = "basic")]
    bearer: Option<String>,
    /// A name and a password to send in the field Authorization. Without it and --bearer, SOCKLESS_BASIC of the environment
    /// counts.
    #[arg(long, value_name = "USER:PASSWORD|@FILE", help_heading = "Request")]
    basic: Option<String>,
    /// A subprotocol to offer, the preferred first.
    #[arg(long = "subprotocol", value_name = "NAME", help_heading = "Request")]
    subprotocols: Vec<String>,
    /// The page that asks, as browsers name it: https://example.com.
    #[arg(long, help_heading = "Request")]
    origin: Option<String>,
    /// Offer no compression.
    #[arg(long, help_heading = "Request")]
    no_deflate: bool,
    /// Follow so many redirects.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, help_heading = "Request")]
    redirects: u8,
}

/// How the server is reached.
#[derive(Args)]
pub struct Reach {
    /// Go through this proxy: http://, https://, socks5:// or socks5h://, with a name and a password before the host if it
    /// wants them.
    #[arg(long, value_name = "URL|@FILE", help_heading = "Way to the server")]
    proxy: Option<String>,
    /// Trust the authorities in this file (PEM), and no others.
    #[arg(long, value_name = "FILE", help_heading = "Way to the server")]
    cacert: Option<String>,
    /// Show this certificate (PEM) to servers that ask for one.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Way to the server")]
    cert: Option<String>,
    /// The private key of --cert (PEM).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Way to the server")]
    key: Option<String>,
    /// Trust whoever answers, whatever certificate is shown. Everybody on the way can read and change what is sent.
    #[arg(short = 'k', long, conflicts_with = "cacert", help_heading = "Way to the server")]
    insecure: bool,
    /// The time for all of connecting, from looking the host up to the server's answer.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Limits")]
    opening_time: Duration,
}

/// What is taken from the peer.
#[derive(Args)]
pub struct Bounds {
    /// Send a Ping so often, and give up if no sign of life comes in that time.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Limits")]
    ping_interval: Duration,
    /// The largest message that is taken, in octets.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = size, help_heading = "Limits")]
    max_message_size: u64,
}

impl Bounds {
    pub const fn max_message_size(&self) -> u64 {
        self.max_message_size
    }
}

/// What these options say together.
pub fn connect(url: &str, request: &Request, reach: &Reach, bounds: &Bounds) -> Result<Connect, Failure> {
    let mut config = ClientConfig::new()
        .with_keep_alive(bounds.ping_interval, bounds.ping_interval)
        .with_max_message_size(bounds.max_message_size);
    config.timeouts.opening = Some(reach.opening_time);
    request.on(reach.on(Connect::new(url).with_config(config))?)
}

impl Request {
    fn on(&self, mut connect: Connect) -> Result<Connect, Failure> {
        for header in &self.headers {
            for line in secret(header)?.lines().filter(|line| !line.is_empty()) {
                let (name, value) =
                    field(line).map_err(|error| Failure::usage(format_args!("-H: {error}")))?;
                connect = connect.with_field(name, value);
            }
        }
        for cookie in &self.cookie {
            let cookie = secret(cookie)?;
            let (name, value) =
                cookie.split_once('=').ok_or_else(|| Failure::usage("--cookie: not NAME=VALUE"))?;
            connect = connect.with_cookie(name, value);
        }
        let (mut bearer, mut basic) = (self.bearer.clone(), self.basic.clone());
        if bearer.is_none() && basic.is_none() {
            bearer = env::var("SOCKLESS_BEARER").ok();
            basic = env::var("SOCKLESS_BASIC").ok();
        }
        if let Some(basic) = basic {
            let basic = secret(&basic)?;
            let (user, password) =
                basic.split_once(':').ok_or_else(|| Failure::usage("--basic: not USER:PASSWORD"))?;
            connect = connect.with_basic(user, password);
        }
        if let Some(token) = bearer {
            connect = connect.with_bearer(secret(&token)?);
        }
        for name in &self.subprotocols {
            connect = connect.with_subprotocol(name);
        }
        if let Some(origin) = &self.origin {
            connect = connect.with_origin(origin);
        }
        if self.no_deflate {
            connect = connect.without_deflate();
        }
        Ok(connect.with_redirects(self.redirects))
    }
}

impl Reach {
    pub fn on(&self, mut connect: Connect) -> Result<Connect, Failure> {
        if let Some(url) = &self.proxy {
            let proxy = Proxy::new(&secret(url)?);
            let proxy = proxy.map_err(|error| Failure::usage(format_args!("--proxy: {error}")))?;
            connect = connect.with_proxy(proxy);
        }
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some((file(cert)?, file(key)?)),
            _ => None,
        };
        if self.insecure {
            warn("--insecure: the certificate of the server is not checked");
            let identity = identity.as_ref().map(|(cert, key)| (cert.as_slice(), key.as_slice()));
            let config = insecure::config(identity).map_err(Failure::usage)?;
            return Ok(connect.with_rustls_0_23(config.into()));
        }
        if self.cacert.is_none() && identity.is_none() {
            return Ok(connect);
        }
        let mut tls = Tls::new();
        if let Some(path) = &self.cacert {
            tls = tls.with_added_roots_only();
            tls = tls.with_root_pem(file(path)?).map_err(|error| unreadable(path, error))?;
        }
        if let Some((cert, key)) = identity {
            let set = tls.with_client_certificate_pem(cert, key);
            tls = set.map_err(|error| Failure::usage(format_args!("--cert, --key: {error}")))?;
        }
        Ok(connect.with_tls(tls))
    }
}
