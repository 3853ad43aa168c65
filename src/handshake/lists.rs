//! Lists of subprotocols and header fields.
//!
//! The first part is borrowed, so that a config can be a constant. The second, with an allocator, is owned.
//
// Owns: keeping both parts, and going through them as one list.
// Must not know: what the texts mean.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// As a config keeps them.
#[derive(Clone)]
pub(crate) struct NameList {
    pub(crate) lent: &'static [&'static str],
    #[cfg(feature = "alloc")]
    pub(crate) owned: Vec<String>,
}

impl NameList {
    pub(crate) const EMPTY: Self = Self {
        lent: &[],
        #[cfg(feature = "alloc")]
        owned: Vec::new(),
    };

    pub(crate) fn names(&self) -> Names<'_> {
        #[cfg(feature = "alloc")]
        if !self.owned.is_empty() {
            return Names::Kept(self);
        }
        Names::Lent(self.lent)
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Names<'n> {
    Lent(&'n [&'n str]),
    #[cfg(feature = "alloc")]
    Kept(&'n NameList),
}

impl<'n> Names<'n> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'n str> + Clone + 'n {
        #[cfg(not(feature = "alloc"))]
        let Self::Lent(lent) = self;
        #[cfg(feature = "alloc")]
        let (lent, owned) = match self {
            Self::Lent(lent) => (*lent, [].as_slice()),
            Self::Kept(list) => (list.lent, list.owned.as_slice()),
        };
        let names = lent.iter().copied();
        #[cfg(feature = "alloc")]
        let names = names.chain(owned.iter().map(String::as_str));
        names
    }
}

/// As a config or an answer keeps them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldList<'f> {
    pub(crate) lent: &'f [(&'f str, &'f str)],
    #[cfg(feature = "alloc")]
    pub(crate) owned: Vec<(String, String)>,
}

impl FieldList<'_> {
    pub(crate) const EMPTY: Self = Self {
        lent: &[],
        #[cfg(feature = "alloc")]
        owned: Vec::new(),
    };

    pub(crate) fn fields(&self) -> FieldSet<'_> {
        #[cfg(feature = "alloc")]
        if !self.owned.is_empty() {
            return FieldSet::Kept(self);
        }
        FieldSet::Lent(self.lent)
    }
}

/// No larger than a slice, because heads keep several of these.
#[derive(Clone, Copy)]
pub(crate) enum FieldSet<'f> {
    Lent(&'f [(&'f str, &'f str)]),
    #[cfg(feature = "alloc")]
    Kept(&'f FieldList<'f>),
}

impl<'f> FieldSet<'f> {
    pub(crate) const fn is_empty(&self) -> bool {
        // `Kept` always has a field: see `FieldList::fields`.
        matches!(self, Self::Lent([]))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'f str, &'f str)> + Clone + 'f {
        #[cfg(not(feature = "alloc"))]
        let Self::Lent(lent) = self;
        #[cfg(feature = "alloc")]
        let (lent, owned) = match self {
            Self::Lent(lent) => (*lent, [].as_slice()),
            Self::Kept(list) => (list.lent, list.owned.as_slice()),
        };
        let fields = lent.iter().copied();
        #[cfg(feature = "alloc")]
        let fields = fields.chain(owned.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        fields
    }
}
