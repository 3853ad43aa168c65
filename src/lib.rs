//! WebSocket without the socket: RFC 6455 as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_must_use)]
// Nothing panics on any input: the constructs that could are refused by name.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
pub mod adapter;
mod close;
mod closing;
mod connection;
mod deadline;
#[cfg(feature = "rng")]
mod entropy;
mod error;
mod event;
pub mod frame;
#[cfg(feature = "handshake")]
pub mod handshake;
mod input;
mod limits;
pub mod message;
mod payload;
mod reader;
mod replies;
mod role;
mod time;
mod utf8;
mod writer;

pub use close::{CloseCode, CloseFrame, CloseReason};
pub use closing::{Closed, Initiator, ReadyState, Transport};
pub use connection::{Config, Connection};
pub use deadline::{Deadlines, Progress, TimeoutAction, Timeouts};
#[cfg(feature = "rng")]
pub use entropy::SystemEntropy;
pub use error::{BufferTooSmall, EntropyError, ProtocolError, SendError, Timeout};
pub use event::{Data, Event};
pub use frame::MessageKind;
pub use input::Input;
pub use limits::Limits;
pub use message::Message;
pub use payload::{ControlPayload, Payload};
pub use reader::Reader;
pub use replies::Replies;
pub use role::{AnyRole, Client, Entropy, Role, Server, Side};
pub use time::{Timestamp, Wake};
pub use utf8::{InvalidUtf8, Utf8Check};
pub use writer::{Frame, Writer, MAX_CONTROL_FRAME_LEN};
