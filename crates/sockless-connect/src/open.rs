//! Connecting.
//
// Owns: the stages, one after the other, the time that they have together, and which redirects are followed.
// Must not know: the rules of the opening handshake, or how one waits.

use std::time::Instant;

use sockless::handshake::UriBuf;
use sockless::{ClientConfig, Error};

use crate::gate::{Remote, Turn};
use crate::layer::Layer;
use crate::net::Net;
use crate::request::Credentials;
use crate::tunnel::{refused, through, Answer};
use crate::{Connect, ConnectError, Response, Stage};

impl Connect {
    /// Connects to the URL, and to where it redirects to.
    pub(crate) async fn dial<N: Net>(&self) -> Result<(N::Socket, Response), ConnectError> {
        let mut uri = self.uri()?;
        let mut credentials = Some(self.credentials(&uri)?);
        let until = self.until::<N>();
        let mut followed = 0;
        loop {
            let result = self.dial_once::<N>(&uri, credentials.as_ref(), until).await;
            #[cfg(feature = "tracing")]
            let result = result.inspect_err(crate::trace::failed);
            let Err(ConnectError::Rejected(response)) = result else { return result };
            let (was, next) = match response.location() {
                Some(next) => (uri.as_uri(), next.as_uri()),
                None => return Err(ConnectError::Rejected(response)),
            };
            if self.redirects == 0 || was.is_secure() && !next.is_secure() {
                return Err(ConnectError::Rejected(response));
            }
            if followed == self.redirects {
                return Err(ConnectError::TooManyRedirects(response));
            }
            followed = followed.saturating_add(1);
            if (was.is_secure(), was.address()) != (next.is_secure(), next.address()) {
                credentials = None;
            }
            uri = next.into();
        }
    }

    /// When the opening time is up. A time that the clock cannot express never comes.
    pub(crate) fn until<N: Net>(&self) -> Option<Instant> {
        self.config.timeouts.opening.and_then(|limit| N::now().checked_add(limit))
    }

    /// Connects to this URL alone.
    async fn dial_once<N: Net>(
        &self,
        uri: &UriBuf,
        credentials: Option<&Credentials>,
        until: Option<Instant>,
    ) -> Result<(N::Socket, Response), ConnectError> {
        let mut config = self.engine_config(uri, credentials)?;
        // Until the WebSocket is open, or this has failed.
        let mut turns = Vec::new();
        let stream = self.reach::<N>(uri, until, &mut turns).await?;
        config.timeouts.opening = until.map(|until| until.saturating_duration_since(N::now()));
        N::open(stream, uri, &config).await.map_err(|error| failed(error, uri))
    }

    /// A stream to the server of this URL, on which nothing was asked yet. The turns are those that it waited for.
    pub(crate) async fn reach<N: Net>(
        &self,
        uri: &UriBuf,
        until: Option<Instant>,
        turns: &mut Vec<Turn>,
    ) -> Result<N::Stream, ConnectError> {
        let (host, port) = uri.as_uri().address();
        let layer = match uri.as_uri().is_secure() {
            true => {
                let layer = self.layer.clone().or_else(Layer::of_process);
                Some(layer.filter(N::takes).ok_or(ConnectError::TlsUnavailable)?)
            }
            false => None,
        };
        let mut stream = match self.proxy.proxy_for(uri)? {
            Some(proxy) => {
                self.wait_for_turns::<N>([Remote::Name(host.into(), port)], until, turns).await?;
                let asking = through::<N>(&proxy, uri.as_uri(), until, self.config.max_rejection_body);
                match N::in_time(until, Stage::Proxy, asking).await? {
                    Answer::Open(stream) => stream,
                    Answer::Refused(stream, refusal) => {
                        return Err(refused::<N>(stream, refusal, until).await);
                    }
                }
            }
            None => {
                let resolving =
                    async { N::resolve((host, port), until).await.map_err(ConnectError::Resolve) };
                let addresses = N::in_time(until, Stage::Resolving, resolving).await?;
                let remotes = addresses.iter().copied().map(Remote::Address);
                self.wait_for_turns::<N>(remotes, until, turns).await?;
                let connecting = async { N::connect(addresses, until).await.map_err(ConnectError::Connect) };
                N::in_time(until, Stage::Connecting, connecting).await?
            }
        };
        if let Some(layer) = layer {
            let wrapping = async { N::wrap(stream, layer, host).await.map_err(ConnectError::Tls) };
            stream = N::in_time(until, Stage::Tls, wrapping).await?;
        }
        Ok(stream)
    }

    /// Waits until no other connection to these is being opened.
    async fn wait_for_turns<N: Net>(
        &self,
        remotes: impl IntoIterator<Item = Remote>,
        until: Option<Instant>,
        turns: &mut Vec<Turn>,
    ) -> Result<(), ConnectError> {
        let Some(gate) = &self.gate else { return Ok(()) };
        for remote in gate.order(remotes) {
            let turn = gate.enter(remote);
            let waiting = async { N::wait_for(&turn, until).await.map_err(ConnectError::Connect) };
            N::in_time(until, Stage::Connecting, waiting).await?;
            turns.push(turn);
        }
        Ok(())
    }

    /// What the engine is asked on a stream that is there already.
    pub(crate) fn request(&self) -> Result<(UriBuf, ClientConfig), ConnectError> {
        let uri = self.uri()?;
        let config = self.engine_config(&uri, Some(&self.credentials(&uri)?))?;
        Ok((uri, config))
    }
}

/// What a failed opening handshake with the server of this URL means.
pub(crate) fn failed(error: Error, uri: &UriBuf) -> ConnectError {
    match error.into() {
        ConnectError::Rejected(response) => ConnectError::Rejected(response.at(uri)),
        error => error,
    }
}
