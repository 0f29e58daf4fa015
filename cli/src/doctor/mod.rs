//! The doctor: looks at everything a node needs, and says what is wrong and how to mend it.
//!
//! First everything is looked at once ([`gather`]), then pure functions judge what was seen ([`checks`]). Nothing is
//! changed.

pub mod checks;
pub mod evidence;
pub mod finding;
pub mod gather;
