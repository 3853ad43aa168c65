//! The request that the settings make.
//
// Owns: its fields that are made of others: credentials and cookies.
// Must not know: how a connection is made.

use sockless::deflate::Offer;
use sockless::handshake::{basic_authorization, ComposeError, UriBuf, UriError};
use sockless::ClientConfig;

use crate::challenge::is_token;
use crate::config::Authorization;
use crate::{Connect, ConnectError};

/// The header fields that tell a server who we are.
pub(crate) struct Credentials {
    fields: Vec<(&'static str, String)>,
}

impl Connect {
    /// The URL. Its credentials are in it only if that is meant.
    pub(crate) fn uri(&self) -> Result<UriBuf, UriError> {
        match self.takes_url_credentials {
            true => UriBuf::parse_with_credentials(&self.url),
            false => UriBuf::parse(&self.url),
        }
    }

    /// What is told to the server of this URL alone.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if no request can say that.
    pub(crate) fn credentials(&self, uri: &UriBuf) -> Result<Credentials, ConnectError> {
        let authorization = match &self.authorization {
            Some(authorization) => Some(authorization.value()?),
            None => uri.basic_authorization(),
        };
        let mut fields = Vec::from_iter(authorization.map(|value| ("Authorization", value)));
        if !self.cookies.is_empty() {
            let cookies = self.cookies.iter().map(|(name, value)| cookie(name, value));
            fields.push(("Cookie", cookies.collect::<Result<Vec<_>, _>>()?.join("; ")));
        }
        Ok(Credentials { fields })
    }

    /// What the engine takes, with everything that the request says. Where a redirect has led to another origin, that is
    /// told no secrets.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if no request can say that.
    pub(crate) fn engine_config(
        &self,
        uri: &UriBuf,
        credentials: Option<&Credentials>,
    ) -> Result<ClientConfig, ComposeError> {
        let mut config = self.config.clone();
        if credentials.is_none() {
            config = config.without_fields();
        }
        config.deflate = match self.offers_deflate {
            true => config.deflate.or(Some(Offer::DEFAULT)),
            false => None,
        };
        for name in &self.subprotocols {
            config = config.with_subprotocol(name);
        }
        // Which of them are secrets, as `X-Api-Key` is, only the caller knows.
        for (name, value) in self.fields.iter().filter(|_| credentials.is_some()) {
            config = config.with_field(name, value);
        }
        if let Some(origin) = &self.origin {
            config = config.with_origin(origin);
        }
        for (name, value) in credentials.iter().flat_map(|credentials| &credentials.fields) {
            config = config.with_field(*name, value);
        }
        // Here it is checked before anything is sent.
        config.complete(uri.into())?;
        Ok(config)
    }
}

impl Authorization {
    /// The value of the field.
    fn value(&self) -> Result<String, ConnectError> {
        match self {
            // RFC 6750 section 2.1 allows less, but servers have tokens with other characters.
            Self::Bearer(token) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(ConnectError::InvalidToken)
            }
            Self::Bearer(token) => Ok(format!("Bearer {token}")),
            Self::Basic { user, password } => Ok(basic_authorization(user, password)?),
        }
    }
}

/// A cookie as it stands in the field. A semicolon would begin another one, so RFC 6265 section 4.1.1 is kept to.
fn cookie(name: &str, value: &str) -> Result<String, ComposeError> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(ComposeError::InvalidName);
    }
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let is_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    match quoted.unwrap_or(value).bytes().all(is_octet) {
        true => Ok(format!("{name}={value}")),
        false => Err(ComposeError::InvalidValue),
    }
}
