//! Delta debugging: the fewest of some items with which something still fails.
//!
//! Zeller, Hildebrandt: Simplifying and isolating failure-inducing input (2002), in the form that only takes away.

/// What a trial found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It still fails.
    Fails,
    /// It does not fail, or fails in another way.
    Holds,
    /// There are no trials left.
    Exhausted,
}

/// Takes items away, in halves and then ever smaller pieces, as long as `trial` says that it still fails. Without one
/// more of what is returned it would hold, unless the trials were exhausted before.
pub fn minimise<T: Clone>(mut items: Vec<T>, trial: &mut dyn FnMut(&[T]) -> Trial) -> Vec<T> {
    if items.is_empty() || trial(&[]) == Trial::Fails {
        return Vec::new();
    }
    let mut piece = items.len().div_ceil(2);
    loop {
        let before = items.len();
        let mut start = 0;
        while start < items.len() {
            let end = (start + piece).min(items.len());
            let fewer = [&items[..start], &items[end..]].concat();
            // Without anything was tried at the beginning.
            let verdict = match fewer.is_empty() {
                true => Trial::Holds,
                false => trial(&fewer),
            };
            match verdict {
                Trial::Fails => items = fewer,
                Trial::Holds => start = end,
                Trial::Exhausted => return items,
            }
        }
        if piece == 1 && items.len() == before {
            return items;
        }
        piece = (piece / 2).clamp(1, items.len().max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal(items: u32, needed: &[u32]) -> (Vec<u32>, u32) {
        let mut trials = 0;
        let left = minimise((0..items).collect(), &mut |some| {
            trials += 1;
            match needed.iter().all(|item| some.contains(item)) {
                true => Trial::Fails,
                false => Trial::Holds,
            }
        });
        (left, trials)
    }

    #[test]
    fn what_is_needed_stays_and_nothing_else() {
        assert_eq!(minimal(200, &[3, 77, 150]).0, [3, 77, 150]);
        assert_eq!(minimal(7, &[6]).0, [6]);
        assert_eq!(minimal(1, &[0]).0, [0]);
    }

    #[test]
    fn a_failure_that_needs_nothing_takes_one_trial() {
        assert_eq!(minimal(200, &[]), (Vec::new(), 1));
    }

    #[test]
    fn one_of_many_takes_few_trials() {
        let (_, trials) = minimal(1_000, &[613]);
        assert!(trials < 40, "{trials}");
    }

    #[test]
    fn exhausted_trials_leave_what_was_found_so_far() {
        let mut trials = 0;
        let left = minimise((0..64_u32).collect(), &mut |some| {
            trials += 1;
            match (trials, some.contains(&5)) {
                (4.., _) => Trial::Exhausted,
                (_, true) => Trial::Fails,
                (_, false) => Trial::Holds,
            }
        });
        assert!(left.contains(&5) && left.len() < 64, "{left:?}");
    }
}
