//! What a server and a client set, before a connection is opened: with an allocator and without.
//
// Owns: the options and their defaults.
// Must not know: how a connection is opened, or any transport.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::time::Duration;
#[cfg(feature = "deflate")]
use std::sync::OnceLock;

#[cfg(feature = "std")]
use super::Connections;
use crate::connection::deadline::Timeouts;
use crate::connection::Config;
use crate::deflate::Offer;
#[cfg(feature = "deflate")]
use crate::deflate::{Policy, Pool, Tuning};
#[cfg(feature = "std")]
use crate::endpoint::Buffers;
use crate::handshake::client::ClientRequest;
use crate::handshake::lists::{FieldList, NameList};
use crate::handshake::{ComposeError, HeadLimits, OriginPolicy};
use crate::limits::Limits;
use crate::tolerance::Tolerances;

/// How a server opens WebSockets, and what each of them may take.
///
/// It borrows nothing. So it can be a `static`, or be made at run time and moved into tasks. A clone shares the
/// compression pool and the set of connections. Lists that are known when the program is compiled are set as a whole,
/// with [`with_subprotocols`](Self::with_subprotocols) and [`with_fields`](Self::with_fields). Others are added one by
/// one.
///
/// Timers run if the transport has a clock: on `std`, on tokio, and on `futures-io` with a timer. In firmware they run
/// if the caller tells the time. [`without_timeouts`](Self::without_timeouts) turns them off.
///
/// `Debug` does not show the values of header fields.
///
/// ```
/// use sockless::handshake::OriginPolicy;
/// use sockless::ServerConfig;
///
/// static CHAT: ServerConfig = ServerConfig::new(OriginPolicy::SameHost)
///     .with_max_message_size(1 << 20)
///     .with_subprotocols(&["chat.v2", "chat.v1"]);
///
/// # #[cfg(feature = "alloc")] {
/// let pages = "https://example.com, https://app.example"; // of the environment, perhaps
/// let mut config = CHAT.clone().with_field("Server", format!("chat/{}", 2));
/// for page in pages.split(',') {
///     config = config.with_origin(page.trim());
/// }
/// std::thread::spawn(move || drop(config)).join().unwrap();
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Which web pages may connect: a choice without a default.
    pub origin: OriginPolicy<'static>,
    /// What is taken from a client.
    pub limits: Limits,
    /// How long is waited for what. Default: [`Timeouts::SERVER`].
    pub timeouts: Timeouts,
    /// Bounds on the head of the request.
    pub head_limits: HeadLimits,
    /// Bytes of the largest head; only for the time of the handshake. Default: 16 KiB. Firmware lends the storage.
    #[cfg(feature = "std")]
    pub head_size: usize,
    /// How much a connection buffers. Firmware lends the buffers.
    #[cfg(feature = "std")]
    pub buffers: Buffers,
    /// Which offers of permessage-deflate are accepted. Default: none.
    #[cfg(feature = "deflate")]
    pub deflate: Option<Policy>,
    /// How messages are compressed, where that is agreed on.
    #[cfg(feature = "deflate")]
    pub tuning: Tuning,
    #[cfg(feature = "deflate")]
    pool: LazyPool,
    #[cfg(feature = "std")]
    pub(super) connections: Option<Connections>,
    pub(super) subprotocols: NameList,
    pub(super) fields: FieldList<'static>,
    #[cfg(feature = "alloc")]
    more_origins: Vec<String>,
}

/// How a client opens WebSockets, and what each of them may take. What differs from one to the next stands in the
/// [`ClientRequest`].
///
/// It borrows nothing. So it can be a `static`, or be made at run time and moved into tasks. Lists that are known when
/// the program is compiled are set as a whole, with [`with_subprotocols`](Self::with_subprotocols) and
/// [`with_fields`](Self::with_fields). Others are added one by one.
///
/// Timers run if the transport has a clock: on `std`, on tokio, and on `futures-io` with a timer. In firmware they run
/// if the caller tells the time. [`without_timeouts`](Self::without_timeouts) turns them off.
///
/// `Debug` does not show the values of header fields.
///
/// ```
/// use sockless::ClientConfig;
///
/// static PLAIN: ClientConfig = ClientConfig::new().with_max_message_size(1 << 20);
///
/// # #[cfg(feature = "alloc")] {
/// let token = "secret"; // of the environment, perhaps
/// let config = PLAIN.clone().with_field("Authorization", format!("Bearer {token}"));
/// std::thread::spawn(move || drop(config)).join().unwrap();
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What is taken from a server.
    pub limits: Limits,
    /// How long is waited for what. Default: [`Timeouts::CLIENT`].
    pub timeouts: Timeouts,
    /// Bounds on the head of the response.
    pub head_limits: HeadLimits,
    /// Bytes of the largest head; only for the time of the handshake. Default: 16 KiB. Firmware lends the storage.
    #[cfg(feature = "std")]
    pub head_size: usize,
    /// How much a connection buffers. Firmware lends the buffers.
    #[cfg(feature = "std")]
    pub buffers: Buffers,
    /// Bytes that are kept of the body of a response that refuses. Default: 64 KiB.
    #[cfg(feature = "std")]
    pub max_rejection_body: usize,
    /// What is offered of permessage-deflate, unless the request has offers of its own. Default: nothing.
    pub deflate: Option<Offer>,
    /// How messages are compressed, where that is agreed on.
    #[cfg(feature = "deflate")]
    pub tuning: Tuning,
    pub(super) subprotocols: NameList,
    pub(super) fields: FieldList<'static>,
}

/// What both roles set in the same way.
macro_rules! common_options {
    ($config:ident) => {
        impl $config {
            /// Sets the limits.
            #[must_use]
            pub const fn with_limits(mut self, limits: Limits) -> Self {
                self.limits = limits;
                self
            }

            /// Sets the largest message in octets, in one frame or in many.
            #[must_use]
            pub const fn with_max_message_size(mut self, octets: u64) -> Self {
                self.limits.max_message_size = octets;
                self.limits.max_frame_size = octets;
                self
            }

            /// Sets all timers.
            #[must_use]
            pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
                self.timeouts = timeouts;
                self
            }

            /// Sends a keep-alive Ping after a silence of `interval`, and waits so long for a sign of life after it.
            #[must_use]
            pub const fn with_keep_alive(mut self, interval: Duration, pong: Duration) -> Self {
                self.timeouts.ping_interval = Some(interval);
                self.timeouts.pong = Some(pong);
                self
            }

            /// Turns all timers off: a silent peer is waited for without end.
            #[must_use]
            pub const fn without_timeouts(self) -> Self {
                self.with_timeouts(Timeouts::NONE)
            }

            /// Sets which deviations from the RFCs are tolerated, in heads and in frames.
            #[must_use]
            pub const fn with_tolerances(mut self, tolerances: Tolerances) -> Self {
                self.head_limits.tolerances = tolerances;
                self.limits.tolerances = tolerances;
                self
            }

            /// Sets the limits for heads.
            #[must_use]
            pub const fn with_head_limits(mut self, limits: HeadLimits) -> Self {
                self.head_limits = limits;
                self
            }

            /// Sets the largest head in bytes.
            #[cfg(feature = "std")]
            #[must_use]
            pub const fn with_head_size(mut self, bytes: usize) -> Self {
                self.head_size = bytes;
                self
            }

            /// Sets how much is buffered.
            #[cfg(feature = "std")]
            #[must_use]
            pub const fn with_buffers(mut self, buffers: Buffers) -> Self {
                self.buffers = buffers;
                self
            }

            /// Sets how messages are compressed, if that is agreed on.
            #[cfg(feature = "deflate")]
            #[must_use]
            pub const fn with_tuning(mut self, tuning: Tuning) -> Self {
                self.tuning = tuning;
                self
            }

            /// Sets the subprotocols of the program. Another call replaces them.
            #[must_use]
            pub const fn with_subprotocols(mut self, names: &'static [&'static str]) -> Self {
                self.subprotocols.lent = names;
                self
            }

            /// Adds a subprotocol, after the others.
            #[cfg(feature = "alloc")]
            #[must_use]
            pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
                self.subprotocols.owned.push(name.into());
                self
            }

            /// Sets header fields for the head that is sent. Another call replaces them.
            #[must_use]
            pub const fn with_fields(mut self, fields: &'static [(&'static str, &'static str)]) -> Self {
                self.fields.lent = fields;
                self
            }

            /// Adds a header field to the head that is sent, after the others.
            #[cfg(feature = "alloc")]
            #[must_use]
            pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.fields.owned.push((name.into(), value.into()));
                self
            }

            /// Takes all header fields out again.
            #[must_use]
            pub fn without_fields(mut self) -> Self {
                self.fields = FieldList::EMPTY;
                self
            }

            pub(super) const fn engine(&self) -> Config {
                Config::new().with_limits(self.limits).with_timeouts(self.timeouts)
            }
        }

        impl core::fmt::Debug for $config {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($config))
                    .field("limits", &self.limits)
                    .field("timeouts", &self.timeouts)
                    .field("subprotocols", &self.subprotocols.names().iter().count())
                    .field("fields", &self.fields.fields().iter().count())
                    .finish_non_exhaustive()
            }
        }
    };
}

common_options!(ServerConfig);
common_options!(ClientConfig);

impl ServerConfig {
    /// The defaults: no subprotocol, no compression, the timers of [`Timeouts::SERVER`].
    pub const fn new(origin: OriginPolicy<'static>) -> Self {
        Self {
            origin,
            limits: Limits::DEFAULT,
            timeouts: Timeouts::SERVER,
            head_limits: HeadLimits::DEFAULT,
            #[cfg(feature = "std")]
            head_size: HeadLimits::STORAGE,
            #[cfg(feature = "std")]
            buffers: Buffers::DEFAULT,
            #[cfg(feature = "deflate")]
            deflate: None,
            #[cfg(feature = "deflate")]
            tuning: Tuning::DEFAULT,
            #[cfg(feature = "deflate")]
            pool: LazyPool(OnceLock::new()),
            #[cfg(feature = "std")]
            connections: None,
            subprotocols: NameList::EMPTY,
            fields: FieldList::EMPTY,
            #[cfg(feature = "alloc")]
            more_origins: Vec::new(),
        }
    }

    /// Allows pages of this origin too, such as `https://example.com`, whatever the policy says.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.more_origins.push(origin.into());
        self
    }

    /// Accepts permessage-deflate (RFC 7692) from clients whose offer this policy allows. [`Policy::DEFAULT`] is good
    /// for many connections: it keeps no context between messages, and takes them from a pool that this config and its
    /// clones share.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self, policy: Policy) -> Self {
        self.deflate = Some(policy);
        self
    }

    /// Sets the pool of contexts.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_pool(mut self, pool: &Pool) -> Self {
        self.pool = LazyPool(OnceLock::from(pool.clone()));
        self
    }

    /// Sets the connections that each WebSocket enters, so that all can be closed together.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn with_connections(mut self, connections: &Connections) -> Self {
        self.connections = Some(connections.clone());
        self
    }

    pub(super) fn policy_for(&self, origin: Option<&str>) -> OriginPolicy<'static> {
        #[cfg(feature = "alloc")]
        if self.more_origins.iter().any(|page| OriginPolicy::List(&[page]).accepts(origin, "")) {
            return OriginPolicy::Any;
        }
        let _ = origin;
        self.origin
    }

    #[cfg(all(feature = "deflate", feature = "rng"))]
    pub(super) fn pool(&self) -> &Pool {
        self.pool.get()
    }
}

impl ClientConfig {
    /// The defaults: no subprotocol, no compression, the timers of [`Timeouts::CLIENT`].
    pub const fn new() -> Self {
        Self {
            limits: Limits::DEFAULT,
            timeouts: Timeouts::CLIENT,
            head_limits: HeadLimits::DEFAULT,
            #[cfg(feature = "std")]
            head_size: HeadLimits::STORAGE,
            #[cfg(feature = "std")]
            buffers: Buffers::DEFAULT,
            #[cfg(feature = "std")]
            max_rejection_body: 64 << 10,
            deflate: None,
            #[cfg(feature = "deflate")]
            tuning: Tuning::DEFAULT,
            subprotocols: NameList::EMPTY,
            fields: FieldList::EMPTY,
        }
    }

    /// Sets the origin of the page that asks, as browsers do, in ASCII.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_origin(self, origin: impl Into<String>) -> Self {
        self.with_field("Origin", origin)
    }

    /// Offers permessage-deflate (RFC 7692) with these parameters. [`Offer::DEFAULT`] is what browsers offer.
    #[must_use]
    pub const fn with_deflate(mut self, offer: Offer) -> Self {
        self.deflate = Some(offer);
        self
    }

    /// Sets how many bytes of the body of a refusal are kept. 0 if nobody looks at it.
    #[cfg(feature = "std")]
    #[must_use]
    pub const fn with_max_rejection_body(mut self, bytes: usize) -> Self {
        self.max_rejection_body = bytes;
        self
    }

    /// This request with what it does not say itself: subprotocols and an offer of compression, and further header
    /// fields in any case. Connecting does that too; here it shows before whether the config is sound.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if a subprotocol or a field is invalid, or a field is one that the handshake writes itself.
    pub fn complete<'c>(&'c self, request: ClientRequest<'c>) -> Result<ClientRequest<'c>, ComposeError> {
        request.with_defaults(self.subprotocols.names(), self.fields.fields(), self.deflate.as_slice())
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Made when it is first needed, so that a config can be a `static`. Clones share it.
#[cfg(feature = "deflate")]
struct LazyPool(OnceLock<Pool>);

#[cfg(feature = "deflate")]
impl LazyPool {
    fn get(&self) -> &Pool {
        self.0.get_or_init(Pool::default)
    }
}

#[cfg(feature = "deflate")]
impl Clone for LazyPool {
    fn clone(&self) -> Self {
        Self(OnceLock::from(self.get().clone()))
    }
}
