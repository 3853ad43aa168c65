//! What opens a WebSocket on polled and on blocking transports alike: the public functions, and their steps.
//
// Owns: the order of reading, deciding and answering.
// Must not know: any transport, or the rules of the handshake.

/// The functions that open a WebSocket on transports of one kind.
///
/// They call the module `$by`, and wait with `$await` for what it returns. `S` is what a caller gives. `$wrap` makes a
/// transport of it, and `$unwrap` gives it back. `$time` says what bounds an opening handshake in time.
macro_rules! opening_functions {
    (
        [$($async:ident)?] [$($await:tt)*] [$($cancel_safety:literal)?] $by:ident
        $(#[$time:meta])+
        S: [$($bound:tt)+], pending: $pending:ty, server: $server:ty, client: $client:ty,
        wrap: $wrap:expr, unwrap: $unwrap:expr, boxed: $boxed:expr $(,)?
    ) => {
        /// Accepts a WebSocket on a stream that a listener has given. A plain HTTP request is answered with 426.
        ///
        $(#[$time])+
        /// After a refusal this waits until the client ends as well, or has sent 1 MiB more, so that the refusal is
        /// not lost.
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening) after the client was told, as far as it read that;
        /// [`Error::Protocol`](crate::Error::Protocol) if it was too slow; [`Error::Io`](crate::Error::Io) if the
        /// transport failed.
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn accept<S: $($bound)+>(
            stream: S,
            config: &crate::ServerConfig,
        ) -> Result<$server, crate::Error> {
            accept_with(stream, config, |_| Ok(()))$($await)*
        }

        /// Accepts a WebSocket once `decide` has looked at the request.
        ///
        /// `decide` refuses the request with a [`Refusal`](crate::Refusal), a 404 for example, or adds to the
        /// [`Answer`](crate::Answer) that opens the WebSocket, a cookie for example. `Ok(())` adds nothing. All else
        /// is as for [`accept`].
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn accept_with<'a, S: $($bound)+, A: Into<crate::Answer<'a>>>(
            stream: S,
            config: &crate::ServerConfig,
            decide: impl FnOnce(&crate::handshake::server::Request<'_>) -> Result<A, crate::Refusal>,
        ) -> Result<$server, crate::Error> {
            let plain = crate::adapter::opening::Plain::Refused;
            let opened = crate::adapter::$by::open($wrap(stream), &[], config, decide, plain);
            $boxed(opened)$($await)*?.websocket()
        }

        /// Reads a request and leaves the answer to you, which may wait for a database: the `PendingRequest` accepts or
        /// refuses it. A plain HTTP request, and one of a page that may not ask, are refused here, as by [`accept`].
        /// The opening time goes on until the answer.
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn receive<S: $($bound)+>(
            stream: S,
            config: &crate::ServerConfig,
        ) -> Result<$pending, crate::Error> {
            let plain = crate::adapter::opening::Plain::Refused;
            $boxed(crate::adapter::$by::receive_request($wrap(stream), &[], config, plain))$($await)*?.websocket()
        }

        /// Does what [`receive`] does, where the port serves plain HTTP too: as [`accept_buffered`] does, of which this
        /// is the first step.
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn receive_buffered<S: $($bound)+>(
            stream: S,
            received: &[u8],
            config: &crate::ServerConfig,
        ) -> Result<crate::Opened<$pending, S>, crate::Error> {
            let plain = crate::adapter::opening::Plain::HandedBack;
            let request = crate::adapter::$by::receive_request($wrap(stream), received, config, plain);
            Ok($boxed(request)$($await)*?.map_stream($unwrap))
        }

        /// Accepts a WebSocket, or hands a plain HTTP request back, so that one port can serve pages as well.
        ///
        /// `decide` sees only requests for a WebSocket, as for [`accept_with`]. [`Opened`](crate::Opened) shows how to
        /// read the plain request. Where the connection is kept after the answer, the next request may ask for a
        /// WebSocket: give the stream to [`accept_buffered`] then.
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn accept_or_http<'a, S: $($bound)+, A: Into<crate::Answer<'a>>>(
            stream: S,
            config: &crate::ServerConfig,
            decide: impl FnOnce(&crate::handshake::server::Request<'_>) -> Result<A, crate::Refusal>,
        ) -> Result<crate::Opened<$server, S>, crate::Error> {
            accept_buffered(stream, &[], config, decide)$($await)*
        }

        /// Does what [`accept_or_http`] does, on a stream of which some bytes were read already: `received` comes
        /// first.
        ///
        /// This is for connections that are kept: a server that has answered a plain request gives the stream back
        /// for the next one, which may ask for a WebSocket. `received` is what it has read of that, perhaps nothing.
        /// Nothing of the request that was answered may be in it. The opening time begins anew.
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn accept_buffered<'a, S: $($bound)+, A: Into<crate::Answer<'a>>>(
            stream: S,
            received: &[u8],
            config: &crate::ServerConfig,
            decide: impl FnOnce(&crate::handshake::server::Request<'_>) -> Result<A, crate::Refusal>,
        ) -> Result<crate::Opened<$server, S>, crate::Error> {
            let plain = crate::adapter::opening::Plain::HandedBack;
            let opened = crate::adapter::$by::open($wrap(stream), received, config, decide, plain);
            Ok($boxed(opened)$($await)*?.map_stream($unwrap))
        }

        /// Opens a WebSocket on a transport that is connected already, with TLS if the URI asks for it. The opening
        /// time begins here: who has spent a part of it on connecting and on TLS sets what is left of it.
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening), with the server's answer if it was no 101, of which the body is
        /// read as well, as far as it comes in time; [`Error::Protocol`](crate::Error::Protocol) if the server was
        /// too slow; [`Error::Io`](crate::Error::Io) if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn client<'c, S: $($bound)+>(
            stream: S,
            request: impl TryInto<crate::handshake::client::ClientRequest<'c>, Error: Into<crate::OpeningError>>,
            config: &crate::ClientConfig,
        ) -> Result<$client, crate::Error> {
            Ok(client_with(stream, request, config, |_| ())$($await)*?.0)
        }

        /// Does what [`client`] does, and shows the response to `look` before the WebSocket is open. What `look`
        /// returns is returned beside the WebSocket, such as the cookies that the server sets:
        /// [`Accepted::headers`](crate::handshake::client::Accepted::headers) has all fields.
        ///
        /// # Errors
        ///
        /// Those of [`client`].
        $(
            #[doc = $cancel_safety]
            /// Not cancel safe: dropped, the transport is dropped with it.
        )?
        pub $($async)? fn client_with<'c, S: $($bound)+, T>(
            stream: S,
            request: impl TryInto<crate::handshake::client::ClientRequest<'c>, Error: Into<crate::OpeningError>>,
            config: &crate::ClientConfig,
            look: impl FnOnce(&crate::handshake::client::Accepted<'_>) -> T,
        ) -> Result<($client, T), crate::Error> {
            let request = request.try_into().map_err(Into::<crate::OpeningError>::into)?;
            let limit = config.timeouts.opening;
            $boxed(crate::adapter::$by::open_client($wrap(stream), request, config, limit, look))$($await)*
        }
    };
}

pub(super) use opening_functions;

/// How a server receives a request and answers it, and how a client asks, on one kind of transport.
///
/// `$timed` reads, writes and refuses within the opening time, until an `$instant`; `$end` is what it does once the
/// opening is over. `$read` bounds one read.
macro_rules! opening_steps {
    (
        [$($async:ident)?] [$($await:tt)*] [$($cancel_safety:literal)?]
        transport: $transport:ident, timed: $timed:ident, instant: $instant:ty, read: $read:expr, boxed: $boxed:expr,
        end: [$($end:ident)?] $(,)?
    ) => {
        pub(in crate::adapter) $($async)? fn open<'a, S: $transport, A: Into<Answer<'a>>>(
            stream: S,
            received: &[u8],
            config: &ServerConfig,
            decide: impl FnOnce(&Request<'_>) -> Result<A, Refusal>,
            plain: Plain,
        ) -> Result<Opened<WebSocket<S, Server>, S>, Error> {
            match receive_request(stream, received, config, plain)$($await)*? {
                Opened::WebSocket(pending) => {
                    let decision = decide(&pending.request()?);
                    match decision {
                        Ok(answer) => pending.accept(config, answer)$($await)*.map(Opened::WebSocket),
                        Err(refusal) => Err(pending.refuse(refusal)$($await)*),
                    }
                }
                Opened::Http { stream, received } => Ok(Opened::Http { stream, received }),
            }
        }

        pub(in crate::adapter) $($async)? fn receive_request<S: $transport>(
            mut stream: S,
            mut received: &[u8],
            config: &ServerConfig,
            plain: Plain,
        ) -> Result<Opened<PendingRequest<S>, S>, Error> {
            let mut storage = alloc::vec![0; config.head_size];
            let mut handshake = ServerHandshake::new(&mut storage, config.head_limits);
            let mut buf = alloc::vec![0; config.buffers.read.clamp(1, $read)];
            let mut timed = $timed::new(&mut stream, config.timeouts.opening);
            loop {
                let input = match core::mem::take(&mut received) {
                    [] => match timed.read(&mut buf)$($await)* {
                        Err(Error::Protocol(LATE)) => return Err(timed.refuse(too_late(408))$($await)*),
                        read => until_end(read?)?,
                    },
                    received => received,
                };
                match serve(&mut handshake, input, config, plain) {
                    Ok(None) => {}
                    Ok(Some(Ok(request))) => {
                        let until = timed.until;
                        return Ok(Opened::WebSocket(PendingRequest { stream, request, until }));
                    }
                    Ok(Some(Err(received))) => {
                        $(timed.$end()?;)?
                        return Ok(Opened::Http { stream, received });
                    }
                    Err(refused) => return Err(timed.refuse(refused)$($await)*),
                }
            }
        }

        /// A request for a WebSocket that waits for an answer. It is valid, and its origin is one of the config's.
        ///
        /// Dropped, it drops the transport: the client sees the connection end without an answer. `docs/servers.md` has an
        /// example.
        pub struct PendingRequest<S> {
            stream: S,
            request: Unanswered,
            until: Option<$instant>,
        }

        impl<S: $transport> PendingRequest<S> {
            /// The request. Its head is parsed anew: call this once, and copy what is needed later.
            ///
            /// # Errors
            ///
            /// None that is known: the same head was valid before.
            pub fn request(&self) -> Result<Request<'_>, Error> {
                Ok(self.request.request()?)
            }

            /// Opens the WebSocket. `config` may be another than the one before, such as with larger limits: its origins
            /// are asked as well. If the opening time is over, the client gets a 503.
            ///
            /// # Errors
            ///
            /// [`Error::Opening`] after the client was told, as far as it read that; [`Error::Protocol`] if the time
            /// was up; [`Error::Io`] if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// Not cancel safe: dropped, the transport is dropped with it.
            )?
            pub $($async)? fn accept<'a>(
                self,
                config: &ServerConfig,
                answer: impl Into<Answer<'a>>,
            ) -> Result<WebSocket<S, Server>, Error> {
                $boxed(self.accepted(config, answer.into()))$($await)*
            }

            $($async)? fn accepted(
                mut self,
                config: &ServerConfig,
                answer: Answer<'_>,
            ) -> Result<WebSocket<S, Server>, Error> {
                let mut timed = $timed::until(&mut self.stream, self.until);
                let left = timed.left();
                match self.request.accept(config, &answer, left) {
                    Ok((response, endpoint, agreed)) => {
                        // Before the client knows: whoever closes all connections from now on closes this one as well.
                        let member = config.connections().map(Connections::enter);
                        timed.write(&response)$($await)*?;
                        $(timed.$end()?;)?
                        let socket = WebSocket::with_endpoint(self.stream, endpoint);
                        Ok(socket.with_member(member).with_agreed(agreed))
                    }
                    Err(refused) => Err(timed.refuse(refused)$($await)*),
                }
            }

            /// Refuses the request, and waits until the client ends as well, as [`accept`] does. Returns what
            /// [`accept_with`] would: [`OpeningError::Refused`](crate::OpeningError::Refused), unless the refusal itself
            /// is invalid, and the client gets a 500.
            $(
                #[doc = $cancel_safety]
                /// Not cancel safe: dropped, the transport is dropped with it.
            )?
            pub $($async)? fn refuse(mut self, refusal: Refusal) -> Error {
                $timed::until(&mut self.stream, self.until).refuse(refusal.into())$($await)*
            }
        }

        debug_states!([S] PendingRequest<S>, |this| { received: this.request.len(), limited: this.until.is_some() });

        /// A part of the opening time is used up already.
        pub(in crate::adapter) $($async)? fn open_client<S: $transport, T>(
            mut stream: S,
            request_for: ClientRequest<'_>,
            config: &ClientConfig,
            limit: Option<Duration>,
            look: impl FnOnce(&Accepted<'_>) -> T,
        ) -> Result<(WebSocket<S, Client<SystemEntropy>>, T), Error> {
            let mut storage = alloc::vec![0; config.head_size];
            let mut handshake = client_handshake(request_for, &mut storage, config)?;
            let mut timed = $timed::new(&mut stream, limit);
            let sent = timed.write(&request(&handshake)?)$($await)*;
            sent.map_err(|error| cut_off(&handshake, error, config))?;
            let mut buf = alloc::vec![0; config.buffers.read.clamp(1, $read)];
            loop {
                let received = timed.read(&mut buf)$($await)*.and_then(until_end);
                let received = received.map_err(|error| cut_off(&handshake, error, config))?;
                match ask(&mut handshake, received, config)? {
                    ClientStep::NeedMore => {}
                    ClientStep::Open { accepted, taken } => {
                        $(timed.$end()?;)?
                        let (agreed, seen) = (Agreed::of(&accepted), look(&accepted));
                        let rest = received.get(taken..).unwrap_or(&[]);
                        let socket = WebSocket::with_endpoint(stream, config.endpoint(agreed.negotiated, rest));
                        return Ok((socket.with_agreed(agreed), seen));
                    }
                    ClientStep::Rejected(mut rejected) => {
                        timed.part(Duration::ZERO);
                        while rejected.needs_more() {
                            let limit = rejected.limit(timed.left());
                            let mut timed = $timed::new(timed.stream, limit);
                            // The refusal is the news.
                            let Ok(received) = timed.read(&mut buf)$($await)* else { break };
                            rejected.read(received);
                        }
                        return Err(rejected.into_error().into());
                    }
                }
            }
        }
    };
}

pub(super) use opening_steps;
