//! The opening handshake of `embedded_io` and of `embedded_io_async`.
//
// Owns: reading and writing it.
// Must not know: its rules.

/// The module `opening` of one adapter. The arguments are those of [`embedded`](super).
macro_rules! opening {
    ([$($async:ident)?] [$($await:tt)*] [$($cancel_safety:literal)?] $io:ident) => {
        mod opening {
            use $io::{Read, Write};

            use super::{Answer, ClientConfig, Error, FixedBuffers, OpeningError, ServerConfig, WebSocket};
            use crate::adapter::fixed::{client_handshake, cut_off, nonce, Driver, Opening, OpeningStep};
            use crate::handshake::client::ClientRequest;
            use crate::handshake::server::{ServerHandshake, Reject, Request};
            use crate::role::{Client, Entropy, Server};

            /// Accepts a WebSocket on a transport. `storage` holds the head of the request, and is free again
            /// afterwards. A plain HTTP request is answered with 426.
            ///
            /// A head that does not fit `storage` is refused. Nothing is read or waited for after a refusal. There is
            /// no clock here: let the transport's reads and writes time out.
            ///
            /// # Errors
            ///
            /// [`Error::Opening`] after the client was told: close the transport. [`Error::Io`] if the
            /// transport failed or timed out: an opening handshake cannot be resumed.
            $(
                #[doc = $cancel_safety]
                /// Not cancel safe: if it is dropped, the opening handshake is lost. Close the transport.
            )?
            pub $($async)? fn accept<'b, S: Read + Write>(
                stream: S,
                config: &ServerConfig,
                storage: &mut [u8],
                buffers: FixedBuffers<'b>,
            ) -> Result<WebSocket<'b, S, Server>, Error<S::Error>> {
                accept_with(stream, config, storage, buffers, |_| Ok(()))$($await)*
            }

            /// Accepts a WebSocket like [`accept`], once `decide` has looked at the request: it refuses it (with 404,
            /// for example), or adds to the [`Answer`]. `Ok(())` adds nothing.
            ///
            /// # Errors
            ///
            /// [`Error::Opening`] after the client was told: close the transport. [`Error::Io`] if the
            /// transport failed or timed out: an opening handshake cannot be resumed.
            $(
                #[doc = $cancel_safety]
                /// Not cancel safe: if it is dropped, the opening handshake is lost. Close the transport.
            )?
            pub $($async)? fn accept_with<'b, 'r, S: Read + Write, A: Into<Answer<'r>>>(
                mut stream: S,
                config: &ServerConfig,
                storage: &mut [u8],
                buffers: FixedBuffers<'b>,
                decide: impl FnOnce(&Request<'_>) -> Result<A, Reject<'r>>,
            ) -> Result<WebSocket<'b, S, Server>, Error<S::Error>> {
                let mut handshake = ServerHandshake::new(storage, config.head_limits);
                let mut decide = Some(decide);
                let mut opening = Opening::new(buffers);
                run(&mut stream, &mut opening, |opening| {
                    let decide = |request: &Request<'_>| match decide.take() {
                        Some(decide) => decide(request).map(Into::into),
                        None => Ok(Answer::new()),
                    };
                    opening.serve(&mut handshake, config, decide);
                })
                $($await)*?;
                let (agreed, buffers) = opening.end()?;
                Ok(WebSocket { stream, agreed, driver: Driver::new(Server, config.engine(), buffers) })
            }

            /// Opens a WebSocket on a transport that is connected already, with TLS if the URI asks for it. The nonce
            /// and all masking keys come from `entropy`. `storage` holds the head of the response. The request must fit
            /// the write buffer.
            ///
            /// # Errors
            ///
            /// [`Error::Opening`]: close the transport. [`Error::Io`] if the transport failed or timed out: an
            /// opening handshake cannot be resumed.
            $(
                #[doc = $cancel_safety]
                /// Not cancel safe: if it is dropped, the opening handshake is lost. Close the transport.
            )?
            pub $($async)? fn client<'b, 'c, S: Read + Write, E: Entropy>(
                mut stream: S,
                request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
                mut entropy: E,
                config: &ClientConfig,
                storage: &mut [u8],
                buffers: FixedBuffers<'b>,
            ) -> Result<WebSocket<'b, S, Client<E>>, Error<S::Error>> {
                let request = request.try_into().map_err(Into::<OpeningError>::into)?;
                let mut handshake = client_handshake(request, nonce(&mut entropy)?, storage, config)?;
                let mut opening = Opening::new(buffers);
                opening.request(&handshake)?;
                let answered =
                    run(&mut stream, &mut opening, |opening| opening.ask(&mut handshake))$($await)*;
                answered.map_err(|error| cut_off(&handshake, error))?;
                let (agreed, buffers) = opening.end()?;
                Ok(WebSocket { stream, agreed, driver: Driver::new(Client::new(entropy), config.engine(), buffers) })
            }

            $($async)? fn run<'b, S: Read + Write>(
                stream: &mut S,
                opening: &mut Opening<'b>,
                mut judge: impl FnMut(&mut Opening<'b>),
            ) -> Result<(), Error<S::Error>> {
                loop {
                    match opening.step() {
                        OpeningStep::Done => return Ok(()),
                        OpeningStep::Judge => judge(opening),
                        OpeningStep::Read => {
                            let result = stream.read(opening.space())$($await)*;
                            opening.received(result)?;
                        }
                        OpeningStep::Write => {
                            let result = stream.write(opening.output())$($await)*;
                            opening.written(result)?;
                        }
                        OpeningStep::Flush => {
                            let result = stream.flush()$($await)*;
                            opening.flushed(result)?;
                        }
                    }
                }
            }
        }
    };
}

pub(in crate::adapter) use opening;
