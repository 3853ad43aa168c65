//! Client and server as types (RFC 6455 section 5.1): who masks, and where masking keys come from.
//
// Owns: the differences between client and server.
// Must not know: frames in progress, or any source of random bytes except the caller's.

use crate::error::EntropyError;
use crate::frame::MaskingKey;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Side {
    /// It accepts the opening handshake, and sends unmasked frames.
    Server,
    /// It asks for the opening handshake, and sends masked frames.
    Client,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// A source of unpredictable bytes for masking keys (RFC 6455 section 10.3).
///
/// There is no default: a weak source would let an attacker choose the bytes that are sent. The feature `rng` has
/// `SystemEntropy`.
pub trait Entropy {
    /// Fills `dest` with unpredictable bytes.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if there are none: the frame is not sent.
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError>;
}

impl<F: FnMut(&mut [u8]) -> Result<(), EntropyError>> Entropy for F {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        self(dest)
    }
}

/// [`Server`], [`Client`], or one of them chosen at run time ([`AnyRole`]).
pub trait Role: sealed::Masking {
    /// Which end of the connection this is.
    fn side(&self) -> Side;
}

/// The server. It never masks.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a server has nothing of its own")]
pub struct Server;

/// The client. It masks every frame with a new key from `E`.
#[derive(Clone, Copy)]
pub struct Client<E> {
    entropy: E,
}

impl<E: Entropy> Client<E> {
    /// Its masking keys are from `entropy`.
    pub const fn new(entropy: E) -> Self {
        Self { entropy }
    }
}

/// A role chosen at run time.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum AnyRole<E> {
    /// It never masks.
    Server,
    /// It masks every frame with a new key from `E`.
    Client(E),
}

impl Role for Server {
    fn side(&self) -> Side {
        Side::Server
    }
}

impl<E: Entropy> Role for Client<E> {
    fn side(&self) -> Side {
        Side::Client
    }
}

impl<E: Entropy> Role for AnyRole<E> {
    fn side(&self) -> Side {
        match self {
            Self::Server => Side::Server,
            Self::Client(_) => Side::Client,
        }
    }
}

mod sealed {
    use super::{AnyRole, Client, Entropy, EntropyError, MaskingKey, Server};

    /// Only the engine can call it, so no application can choose a key (section 10.3).
    pub trait Masking {
        fn masking_key(&mut self) -> Result<Option<MaskingKey>, EntropyError>;
    }

    impl Masking for Server {
        fn masking_key(&mut self) -> Result<Option<MaskingKey>, EntropyError> {
            Ok(None)
        }
    }

    impl<E: Entropy> Masking for Client<E> {
        fn masking_key(&mut self) -> Result<Option<MaskingKey>, EntropyError> {
            draw(&mut self.entropy).map(Some)
        }
    }

    impl<E: Entropy> Masking for AnyRole<E> {
        fn masking_key(&mut self) -> Result<Option<MaskingKey>, EntropyError> {
            match self {
                Self::Server => Ok(None),
                Self::Client(entropy) => draw(entropy).map(Some),
            }
        }
    }

    fn draw(entropy: &mut impl Entropy) -> Result<MaskingKey, EntropyError> {
        let mut key = [0; 4];
        entropy.fill(&mut key)?;
        Ok(MaskingKey(key))
    }
}

impl<E> core::fmt::Debug for Client<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The state would reveal all keys to come.
        f.write_str("Client(..)")
    }
}

impl<E> core::fmt::Debug for AnyRole<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Server => "Server",
            Self::Client(_) => "Client(..)",
        })
    }
}
