//! Who belongs to a mesh: certificates, the tickets that lead to them, and the roster of their holders.

pub mod admission;
pub mod certificate;
pub mod instances;
pub mod issuer;
pub mod member;
pub mod peer_record;
pub mod roster;
mod sorted_chunks;
pub mod ticket;
