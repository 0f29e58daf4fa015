//! Where requests come in: each frontend turns one transport into calls and answers.

pub mod http;
