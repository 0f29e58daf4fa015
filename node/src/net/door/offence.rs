//! What somebody can do wrong, how much each weighs, and how soon it is forgotten.
//!
//! A score is the sum of the weights of what was done, each halved again and again as time passes. Honest nodes offend
//! too (a dial that lost a race breaks off, an expired certificate is shown); only repetition reaches the mark.

use std::time::Duration;

use tokio::time::Instant;

/// The score from which on somebody is refused before anything is done for him.
pub const MARK: f64 = 50.0;

const MINUTE: Duration = Duration::from_secs(60);

/// Something that nobody who keeps to the protocol does often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A handshake was begun and not ended: silence, or the connection broke.
    HalfOpen,
    /// What was said is not the protocol.
    Garbage,
    /// More was sent than a stranger has to say.
    Flood,
    /// A whole handshake without a claim that is good.
    NoClaim,
    /// A gossip message that is larger than allowed or does not hold what it must.
    BadGossip,
    /// More gossip than is taken from one member.
    GossipFlood,
    /// A substream whose bytes are no frames, or larger than allowed.
    BadFrames,
    /// More calls at once, or more bytes in them, than one member's share.
    CallFlood,
}

impl Offence {
    /// Every offence, in the order of their scores.
    pub const ALL: [Self; 8] = [
        Self::HalfOpen,
        Self::Garbage,
        Self::Flood,
        Self::NoClaim,
        Self::BadGossip,
        Self::GossipFlood,
        Self::BadFrames,
        Self::CallFlood,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfOpen => "half-open",
            Self::Garbage => "garbage",
            Self::Flood => "flood",
            Self::NoClaim => "no-claim",
            Self::BadGossip => "bad-gossip",
            Self::GossipFlood => "gossip-flood",
            Self::BadFrames => "bad-frames",
            Self::CallFlood => "call-flood",
        }
    }

    /// What one adds to the score.
    const fn weight(self) -> f64 {
        match self {
            // Whom a busy node turns away may be busy himself.
            Self::CallFlood => 0.02,
            Self::GossipFlood => 0.1,
            Self::HalfOpen => 0.5,
            Self::NoClaim => 2.0,
            Self::Garbage | Self::BadGossip | Self::BadFrames => 5.0,
            Self::Flood => 10.0,
        }
    }

    /// Time after which half of it is forgotten.
    const fn half_life(self) -> Duration {
        match self {
            Self::HalfOpen | Self::GossipFlood | Self::CallFlood => MINUTE,
            Self::NoClaim | Self::Garbage | Self::BadGossip | Self::BadFrames => {
                MINUTE.saturating_mul(5)
            }
            Self::Flood => MINUTE.saturating_mul(10),
        }
    }

    const fn place(self) -> usize {
        self as usize
    }
}

/// What one address, or one member, has done of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    parts: [f64; Offence::ALL.len()],
    /// When the parts had these values.
    at: Instant,
}

impl Score {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            parts: [0.0; Offence::ALL.len()],
            at: now,
        }
    }

    pub(super) fn add(&mut self, offence: Offence, now: Instant) {
        self.decay(now);
        self.parts[offence.place()] += offence.weight();
    }

    /// The whole score at `now`.
    pub(super) fn total(&self, now: Instant) -> f64 {
        let mut then = *self;
        then.decay(now);
        then.parts.iter().sum()
    }

    /// What weighs most in it.
    pub(super) fn worst(&self) -> Offence {
        let weighs = |one: &&Offence, other: &&Offence| {
            self.parts[one.place()].total_cmp(&self.parts[other.place()])
        };
        *Offence::ALL
            .iter()
            .max_by(weighs)
            .unwrap_or(&Offence::HalfOpen)
    }

    fn decay(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        for (part, offence) in self.parts.iter_mut().zip(Offence::ALL) {
            *part *= (-passed / offence.half_life().as_secs_f64()).exp2();
        }
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(offence: Offence, times: usize, every: Duration) -> f64 {
        let start = Instant::now();
        let mut score = Score::new(start);
        let mut now = start;
        for _ in 0..times {
            score.add(offence, now);
            now += every;
        }
        score.total(now)
    }

    #[test]
    fn garbage_again_and_again_reaches_the_mark() {
        assert!(after(Offence::Garbage, 11, Duration::from_secs(1)) > MARK);
    }

    #[test]
    fn a_node_whose_certificate_ended_and_that_dials_on_does_not_reach_the_mark() {
        let every_backoff = Duration::from_secs(30);
        assert!(after(Offence::NoClaim, 1_000, every_backoff) < MARK);
    }

    #[test]
    fn half_is_forgotten_after_the_half_life() {
        let start = Instant::now();
        let mut score = Score::new(start);
        score.add(Offence::Garbage, start);
        let later = start + Offence::Garbage.half_life();
        assert!((score.total(later) - Offence::Garbage.weight() / 2.0).abs() < 1e-9);
    }

    #[test]
    fn each_offence_has_its_own_place_and_the_worst_is_named() {
        let mut score = Score::new(Instant::now());
        for (place, offence) in Offence::ALL.into_iter().enumerate() {
            assert_eq!(offence.place(), place);
        }
        score.add(Offence::HalfOpen, score.at);
        score.add(Offence::Garbage, score.at);
        assert_eq!(score.worst(), Offence::Garbage);
    }
}
