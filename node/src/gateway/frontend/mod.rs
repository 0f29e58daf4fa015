//! Where requests come in: each frontend turns one transport into calls and answers.

pub mod admission;
pub mod http;
pub mod members;
pub mod peer;
pub mod rest;
