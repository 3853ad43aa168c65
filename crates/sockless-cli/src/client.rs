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
struct Request {
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
    /// Go through this proxy: host:port, or a URL with http://, https://, socks5:// or socks5h://, with a name and a password
    /// before the host if it wants them. Without it, HTTPS_PROXY, ALL_PROXY and NO_PROXY of the environment say which, as for curl.
    #[arg(long, value_name = "URL|@FILE", help_heading = "Way to the server")]
    proxy: Option<String>,
    /// Go through no proxy, whatever the environment says.
    #[arg(long, conflicts_with = "proxy", help_heading = "Way to the server")]
    no_proxy: bool,
    /// Trust the authorities in this file (PEM), and no others.
    #[arg(long, value_name = "FILE", help_heading = "Way to the server")]
    cacert: Option<String>,
    /// Trust whoever answers, whatever certificate is shown. Everybody on the way can read and change what is sent.
    #[arg(short = 'k', long, conflicts_with = "cacert", help_heading = "Way to the server")]
    insecure: bool,
    /// The time for all of connecting, from looking the host up to the server's answer.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Limits")]
    pub opening_time: Duration,
}

/// Who we are, where a server asks for a certificate.
#[derive(Args)]
struct Identity {
    /// Show this certificate (PEM) to servers that ask for one.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Way to the server")]
    cert: Option<String>,
    /// The private key of --cert (PEM).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Way to the server")]
    key: Option<String>,
}

/// What is taken from the peer.
#[derive(Args)]
pub struct Bounds {
    /// Send a Ping so often, and give up if no sign of life comes in that time.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Limits")]
    pub ping_interval: Duration,
    /// The largest message that is taken, in octets.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = size, help_heading = "Limits")]
    pub max_message_size: u64,
}

/// All that a client can be told.
#[derive(Args)]
pub struct Client {
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    pub bounds: Bounds,
}

impl Client {
    /// What these options say together.
    pub fn connect(&self, url: &str) -> Result<Connect, Failure> {
        let Bounds { ping_interval, max_message_size } = self.bounds;
        let mut config = ClientConfig::new()
            .with_keep_alive(ping_interval, ping_interval)
            .with_max_message_size(max_message_size);
        config.timeouts.opening = Some(self.reach.opening_time);
        let identity = match (&self.identity.cert, &self.identity.key) {
            (Some(cert), Some(key)) => Some((file(cert)?, file(key)?)),
            _ => None,
        };
        self.request.on(self.reach.on(Connect::new(url).with_config(config), identity)?)
    }
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
    /// What these options say alone.
    pub fn connect(&self, url: &str) -> Result<Connect, Failure> {
        let mut config = ClientConfig::new();
        config.timeouts.opening = Some(self.opening_time);
        self.on(Connect::new(url).with_config(config), None)
    }

    /// The identity is a certificate and a private key.
    fn on(&self, mut connect: Connect, identity: Option<(Vec<u8>, Vec<u8>)>) -> Result<Connect, Failure> {
        if let Some(url) = &self.proxy {
            let proxy = Proxy::new(&secret(url)?);
            let proxy = proxy.map_err(|error| Failure::usage(format_args!("--proxy: {error}")))?;
            connect = connect.with_proxy(proxy);
        } else if !self.no_proxy {
            connect = connect.with_proxy_from_environment();
        }
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
