//! Lists that a caller gives for a head: of texts that are lent, and behind them of texts that have an owner.
//
// Owns: going through both as one list.
// Must not know: what the texts mean.

#[cfg(feature = "alloc")]
use alloc::string::String;

/// Names of subprotocols.
#[derive(Clone, Copy)]
pub(crate) struct Names<'n> {
    pub(crate) lent: &'n [&'n str],
    #[cfg(feature = "alloc")]
    pub(crate) owned: &'n [String],
}

impl<'n> Names<'n> {
    pub(crate) const fn lent(lent: &'n [&'n str]) -> Self {
        Self {
            lent,
            #[cfg(feature = "alloc")]
            owned: &[],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'n str> + Clone + 'n {
        let names = self.lent.iter().copied();
        #[cfg(feature = "alloc")]
        let names = names.chain(self.owned.iter().map(String::as_str));
        names
    }
}

/// Header fields.
#[derive(Clone, Copy)]
pub(crate) struct FieldSet<'f> {
    pub(crate) lent: &'f [(&'f str, &'f str)],
    #[cfg(feature = "alloc")]
    pub(crate) owned: &'f [(String, String)],
}

impl<'f> FieldSet<'f> {
    pub(crate) const fn lent(lent: &'f [(&'f str, &'f str)]) -> Self {
        Self {
            lent,
            #[cfg(feature = "alloc")]
            owned: &[],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'f str, &'f str)> + Clone + 'f {
        let fields = self.lent.iter().copied();
        #[cfg(feature = "alloc")]
        let fields = fields.chain(self.owned.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        fields
    }
}
