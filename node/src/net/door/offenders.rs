//! Who offended of late, in bounded memory: the least offender makes room.

use std::collections::HashMap;
use std::hash::Hash;

use tokio::time::Instant;

use super::offence::{MARK, Offence, Score};

/// Offenders remembered.
const OFFENDERS_MAX: usize = 1_024;

/// Scores below this are forgotten when room is needed.
const NEGLIGIBLE: f64 = 1.0;

/// The scores of all offenders.
pub(super) struct Offenders<K> {
    scores: HashMap<K, Score>,
}

impl<K> Default for Offenders<K> {
    fn default() -> Self {
        Self {
            scores: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq + Hash> Offenders<K> {
    /// Notes what `who` did; whether that brought him over the mark.
    pub(super) fn note(&mut self, who: K, offence: Offence, now: Instant) -> bool {
        if !self.scores.contains_key(&who) {
            self.make_room(now);
        }
        let score = self.scores.entry(who).or_insert_with(|| Score::new(now));
        let before = score.total(now);
        score.add(offence, now);
        before < MARK && score.total(now) >= MARK
    }

    /// Whether `who` is over the mark.
    pub(super) fn is_over(&self, who: K, now: Instant) -> bool {
        let score = self.scores.get(&who);
        score.is_some_and(|score| score.total(now) >= MARK)
    }

    /// Everybody whose score matters, with it and what weighs most in it.
    pub(super) fn all(&self, now: Instant) -> Vec<(K, f64, Offence)> {
        let scores = self.scores.iter();
        scores
            .map(|(who, score)| (*who, score.total(now), score.worst()))
            .filter(|(_, score, _)| *score >= NEGLIGIBLE)
            .collect()
    }

    fn make_room(&mut self, now: Instant) {
        if self.scores.len() < OFFENDERS_MAX {
            return;
        }
        self.scores
            .retain(|_, score| score.total(now) >= NEGLIGIBLE);
        if self.scores.len() < OFFENDERS_MAX {
            return;
        }
        let scores = self.scores.iter();
        let least =
            scores.min_by(|(_, one), (_, other)| one.total(now).total_cmp(&other.total(now)));
        if let Some(least) = least.map(|(who, _)| *who) {
            self.scores.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossing_the_mark_is_told_once() {
        let (mut offenders, now) = (Offenders::default(), Instant::now());
        let crossed = (0..20)
            .filter(|_| offenders.note("somebody", Offence::Garbage, now))
            .count();
        assert_eq!(crossed, 1);
        assert!(offenders.is_over("somebody", now));
        assert!(!offenders.is_over("somebody else", now));
    }

    #[test]
    fn memory_is_bounded_and_the_worst_stay_known() {
        let (mut offenders, now) = (Offenders::default(), Instant::now());
        for _ in 0..20 {
            offenders.note(0, Offence::Garbage, now);
        }
        for who in 1..1_200 {
            offenders.note(who, Offence::NoClaim, now);
        }
        assert_eq!(offenders.scores.len(), OFFENDERS_MAX);
        assert!(offenders.is_over(0, now));
    }
}
