//! Who asks an admin to be let in without a ticket: heard only while the admin has opened a window, few at a time.
//!
//! Nothing of it is kept on disk: a node that starts again hears nobody until a window is opened anew.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::admission::Refusal;
use super::certificate::CertificateChain;
use super::join_request::{Opening, RequestWords};
use super::ticket::Transcript;
use crate::id::{NodeId, NodeName};
use crate::mutation::Mutation;
use crate::time::Monotonic;

/// The longest that requests are heard at a time.
pub const REQUEST_WINDOW_MAX: Duration = Duration::from_secs(60 * 60);
/// Requests that wait at one time; one more is refused.
pub const REQUESTS_WAITING_MAX: usize = 16;
/// Requests of one address that wait at one time.
pub const REQUESTS_PER_PLACE_MAX: usize = 4;
/// Requests that are heard in one window, those that replaced an earlier one of the same node too: whoever wants other
/// words gets them only so often.
pub const REQUESTS_PER_WINDOW_MAX: u32 = 64;

/// One node that asks to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Who asks, as the secure channel proved it.
    pub node: NodeId,
    /// The name it would like.
    pub name: NodeName,
    /// What both ends show.
    pub words: RequestWords,
    /// Where it dialed from: an IP address, or nothing.
    pub place: String,
    /// When it asked.
    pub asked: Monotonic,
}

/// The window and those who wait in it.
#[derive(Clone, Debug, Default)]
pub struct JoinRequests {
    open_until: Option<Monotonic>,
    waiting: Vec<JoinRequest>,
    heard: u32,
    approved: VecDeque<Arc<CertificateChain>>,
}

/// What a dialer says when it asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The handshake it asks in.
    pub transcript: &'a Transcript,
    /// What it had committed to.
    pub opening: &'a Opening,
    /// The name it would like.
    pub name: &'a NodeName,
    /// Where it dialed from: an IP address, or nothing.
    pub place: &'a str,
}

impl JoinRequests {
    /// Hears requests from now on, for at most [`REQUEST_WINDOW_MAX`]. Those that wait go on waiting.
    pub fn open(&mut self, now: Monotonic, window: Duration) -> Monotonic {
        if self.open_until(now).is_none() {
            self.close();
        }
        let until = now + window.min(REQUEST_WINDOW_MAX);
        self.open_until = Some(until);
        self.heard = 0;
        until
    }

    /// Hears none any more, and forgets those that wait.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// Until when requests are heard, if they are.
    pub fn open_until(&self, now: Monotonic) -> Option<Monotonic> {
        self.open_until.filter(|until| now < *until)
    }

    /// Those that wait, in order of asking.
    pub fn waiting(&self, now: Monotonic) -> &[JoinRequest] {
        match self.open_until(now) {
            Some(_) => &self.waiting,
            None => &[],
        }
    }

    /// Hears one. A node that asks again takes the place of its earlier request, and gets other words.
    ///
    /// # Errors
    ///
    /// Why it is not heard. None of this is told to the dialer.
    pub fn hear(&mut self, now: Monotonic, asked: &Asked<'_>) -> Result<(), Refusal> {
        if self.open_until(now).is_none() {
            self.close();
            return Err(Refusal::Unspoken);
        }
        let Asked {
            transcript,
            opening,
            name,
            place,
        } = *asked;
        if !opening.opens(transcript) {
            return Err(Refusal::Certificate {
                why: "its hello was no commitment to what its request opens".to_owned(),
            });
        }
        let node = transcript.dialer;
        let others = || self.waiting.iter().filter(|one| one.node != node);
        let same_place = others().filter(|one| one.place == place).count();
        if others().count() >= REQUESTS_WAITING_MAX
            || same_place >= REQUESTS_PER_PLACE_MAX
            || self.heard >= REQUESTS_PER_WINDOW_MAX
        {
            return Err(Refusal::Full {
                what: "the requests that wait".to_owned(),
            });
        }
        self.heard += 1;
        self.waiting.retain(|one| one.node != node);
        self.waiting.push(JoinRequest {
            node,
            name: name.clone(),
            words: opening.words(transcript),
            place: place.to_owned(),
            asked: now,
        });
        Ok(())
    }

    /// Whether a request of `node` waits.
    pub fn waits(&self, now: Monotonic, node: NodeId) -> bool {
        self.waiting(now).iter().any(|one| one.node == node)
    }

    /// Keeps the certificate of somebody who was let in, until the window closes: the roster may know that node by an
    /// earlier one, from before it left. The oldest gives way to one beyond [`REQUESTS_WAITING_MAX`].
    pub fn approve(&mut self, issued: Arc<CertificateChain>) {
        if self.approved.len() >= REQUESTS_WAITING_MAX {
            self.approved.pop_front();
        }
        self.approved.push_back(issued);
    }

    /// The certificate of somebody who was let in last, if that was not long ago.
    pub fn approved(&self, node: NodeId) -> Option<&Arc<CertificateChain>> {
        let mut latest = self.approved.iter().rev();
        latest.find(|chain| chain.body().subject == node)
    }

    /// Takes out the request with these words.
    pub fn take(&mut self, now: Monotonic, words: RequestWords) -> Option<JoinRequest> {
        let at = self
            .waiting(now)
            .iter()
            .position(|one| one.words == words || Mutation::ApproveAnyWords.is_on())?;
        Some(self.waiting.remove(at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const START: Monotonic = Monotonic(1_000);

    fn ask(
        requests: &mut JoinRequests,
        now: Monotonic,
        number: u8,
        place: &str,
    ) -> Result<RequestWords, Refusal> {
        let opening = Opening([number; 32]);
        let transcript = Transcript {
            dialer: NodeId::from_public_key([number; 32]),
            listener: NodeId::from_public_key([200; 32]),
            dialer_nonce: opening.commitment(),
            listener_nonce: [0; 32],
        };
        let asked = Asked {
            transcript: &transcript,
            opening: &opening,
            name: &"laptop".parse().unwrap(),
            place,
        };
        requests.hear(now, &asked)?;
        Ok(opening.words(&transcript))
    }

    #[test]
    fn nobody_is_heard_before_a_window_is_opened_or_after_it_has_closed() {
        let mut requests = JoinRequests::default();
        assert_eq!(
            ask(&mut requests, START, 1, "a").unwrap_err(),
            Refusal::Unspoken
        );
        requests.open(START, MINUTE);
        ask(&mut requests, START, 1, "a").unwrap();
        assert_eq!(requests.waiting(START).len(), 1);
        let later = START + MINUTE;
        assert!(requests.waiting(later).is_empty());
        assert!(ask(&mut requests, later, 2, "a").is_err());
        requests.open(later, MINUTE);
        assert!(requests.waiting(later).is_empty());
    }

    #[test]
    fn requests_are_taken_by_their_words_and_once() {
        let mut requests = JoinRequests::default();
        requests.open(START, MINUTE);
        let words = ask(&mut requests, START, 1, "a").unwrap();
        let others = ask(&mut requests, START, 2, "b").unwrap();
        assert_eq!(
            requests.take(START, words).unwrap().node,
            NodeId::from_public_key([1; 32])
        );
        assert_eq!(requests.take(START, words), None);
        assert!(requests.take(START, others).is_some());
    }

    #[test]
    fn one_address_and_all_together_are_bounded_and_so_is_asking_again() {
        let mut requests = JoinRequests::default();
        requests.open(START, MINUTE);
        let full = Err(Refusal::Full {
            what: "the requests that wait".to_owned(),
        });
        for number in 0..REQUESTS_PER_PLACE_MAX {
            ask(&mut requests, START, number as u8, "a").unwrap();
        }
        assert_eq!(ask(&mut requests, START, 99, "a"), full);
        for number in REQUESTS_PER_PLACE_MAX..REQUESTS_WAITING_MAX {
            ask(&mut requests, START, number as u8, &number.to_string()).unwrap();
        }
        assert_eq!(ask(&mut requests, START, 99, "elsewhere"), full);
        for _ in REQUESTS_WAITING_MAX as u32..REQUESTS_PER_WINDOW_MAX {
            ask(&mut requests, START, 0, "a").unwrap();
        }
        assert_eq!(ask(&mut requests, START, 0, "a"), full);
    }
}
