//! Random values that are the same on every platform and in every version: PCG64 and integer arithmetic.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// One stream of random values.
#[derive(Clone, Debug)]
pub struct Randomness(Pcg64);

impl Randomness {
    /// The stream of `seed` for one `purpose`: what is drawn for one purpose does not move what is drawn for others.
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self(Pcg64::from_seed(derive(seed, purpose)))
    }

    /// Any of 2⁶⁴ values.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A value below `bound`; 0 where the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.any()) * u128::from(bound)) >> 64) as u64
    }

    /// A value from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// Whether something of this chance (0 to 1) happens.
    pub fn chance(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.unit() < chance
    }

    /// A value from 0 to 1, the latter excluded.
    pub fn unit(&mut self) -> f64 {
        (self.any() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A value with about an exponential distribution of this mean: linear between the powers of two, so that no
    /// platform's logarithm decides.
    pub fn exponential(&mut self, mean: u64) -> u64 {
        if mean == 0 {
            return 0;
        }
        let drawn = self.any() | 1;
        let halvings = drawn.leading_zeros();
        let normal = drawn << halvings;
        let within = 2.0 - normal as f64 / (1_u64 << 63) as f64;
        let halves = f64::from(halvings) + within;
        (halves * std::f64::consts::LN_2 * mean as f64) as u64
    }

    /// One of `items`; `None` where there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// Up to `count` of `items`, in random order.
    pub fn choose<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut items = items.to_vec();
        let count = count.min(items.len());
        for place in 0..count {
            let other = place + self.below((items.len() - place) as u64) as usize;
            items.swap(place, other);
        }
        items.truncate(count);
        items
    }

    /// 32 random bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// 32 bytes that follow from a seed and a purpose: the seed of a stream, or a key.
pub fn derive(seed: u64, purpose: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"peerage simulations v1\0");
    hasher.update(&seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_seed_are_fixed() {
        let mut randomness = Randomness::new(1, "test");
        let drawn = [
            randomness.any(),
            randomness.below(1_000),
            randomness.exponential(1_000),
        ];
        assert_eq!(drawn, [14_451_137_139_920_838_153, 65, 1_749]);
    }

    #[test]
    fn exponential_values_have_their_mean() {
        let mut randomness = Randomness::new(2, "test");
        let sum: u64 = (0..100_000).map(|_| randomness.exponential(1_000)).sum();
        let mean = sum / 100_000;
        assert!((950..1_100).contains(&mean), "{mean}");
    }

    #[test]
    fn bounds_are_kept() {
        let mut randomness = Randomness::new(3, "test");
        assert!((0..1_000).all(|_| randomness.below(7) < 7));
        assert!((0..1_000).all(|_| (3..=5).contains(&randomness.between(3, 5))));
        assert_eq!(randomness.below(0), 0);
        assert_eq!(randomness.choose(&[1, 2, 3], 9).len(), 3);
    }
}
