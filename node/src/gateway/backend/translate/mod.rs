//! Between the eras, where an upstream does not speak the caller's.
//!
//! A legacy upstream asks its client in the middle of a call; a modern caller cannot be asked, so the call is parked
//! and the caller told what is wanted. A modern upstream says what is wanted and expects the request again; for a
//! legacy caller that is done here, and the caller is asked in the middle of its call.

mod binding;
pub(crate) mod parking;
pub(crate) mod retries;
mod sealing;
