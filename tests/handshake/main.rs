//! The opening handshake as pure functions of octets: requests, answers, fields, URIs, proxies.

#[path = "../common/opening/mod.rs"]
mod opening;

mod answer;
mod body;
mod client;
mod debug;
mod deflate;
mod extensions;
mod head;
mod http;
mod http_connect;
mod parsed;
mod regressions_handshake;
mod rejections;
mod request;
mod response;
mod socks5;
mod tolerances;
mod uri;
mod uri_buf;
