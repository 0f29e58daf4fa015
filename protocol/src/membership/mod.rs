//! Who belongs to a mesh: certificates, the tickets that lead to them, and the roster of their holders.

pub mod certificate;
pub mod ticket;
