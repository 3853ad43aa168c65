//! Memory for each connection: the state types are held to numbers. Run with `--nocapture` to see them.

use crate::common;

use std::mem::size_of;

use common::Keys;
use sockless::frame::Masker;
use sockless::{
    AnyRole, Client, Connection, Data, Deadlines, Event, Mailbox, Parked, Reader, SendHalf, Server,
    Utf8Check, Writer,
};

macro_rules! sizes {
    ($($type:ty: $bound:expr,)+) => {{
        $(
            let (name, size): (_, usize) = (stringify!($type), size_of::<$type>());
            println!("{name:28} {size:4} bytes, at most {}", $bound);
            assert!(size <= $bound, "{name} has {size} bytes, more than {}", $bound);
        )+
    }};
}

/// The numbers are those of 64-bit targets; a smaller pointer makes nothing larger.
#[test]
fn state_stays_small() {
    sizes! {
        Masker: 4,
        Utf8Check: 3,
        Data<'static>: 40,
        Event<'static>: 40,
        Mailbox: 132,
        Deadlines: 136,
        Reader: 216,
        Writer<Server>: 168,
        Writer<Client<Keys>>: 176,
        Writer<AnyRole<Keys>>: 176,
        SendHalf<Server>: 304,
        Connection<Server>: 512,
        Connection<Client<Keys>>: 520,
        Parked: 32,
        Option<Parked>: 32,
    }
}
