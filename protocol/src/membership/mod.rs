//! Who belongs to a mesh: certificates, the tickets that lead to them, the roster of their holders, and who was put out.

pub mod admission;
pub mod certificate;
pub mod instances;
pub mod issuer;
pub mod join_request;
pub mod join_requests;
pub mod member;
mod namesakes;
pub mod peer_record;
pub mod present_agent;
pub mod revocation;
pub mod revocations;
pub mod role;
pub mod roster;
pub mod rotation;
mod sorted_chunks;
pub mod ticket;
