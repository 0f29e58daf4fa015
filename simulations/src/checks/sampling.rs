//! Which catalogs a check looks at: every small one, and of the large ones, which cost more, some.

use peerage_protocol::catalog::snapshot::Catalog;

/// Catalogs of up to so many tools are all looked at.
const SMALL: usize = 40;
/// Of larger ones, one in so many is.
const LARGE_EVERY: u64 = 16;

/// Counts the large catalogs that came by.
#[derive(Default)]
pub(super) struct Sampling {
    large: u64,
}

impl Sampling {
    /// Whether this catalog, the next to come by, is looked at.
    pub(super) fn includes(&mut self, catalog: &Catalog) -> bool {
        if catalog.len() <= SMALL {
            return true;
        }
        self.large += 1;
        self.large.is_multiple_of(LARGE_EVERY)
    }
}
