//! Messages broken at random, the same way for the same seed.

/// What is spliced into messages: each has once broken a parser somewhere.
const FRAGMENTS: [&[u8]; 16] = [
    b"null",
    b"{}",
    b"[]",
    b"\"",
    b"\\",
    b"\\ud800",
    b"\0",
    b"\xff\xfe",
    b"\r\n\r\n",
    b"1e999999",
    b"-",
    b"123456789012345678901234567890",
    b",\"id\":1",
    b",\"method\":\"x\"",
    b"data: ",
    b"\xef\xbb\xbf",
];

/// How deep a nesting is that no honest message has.
const NESTING: usize = 20_000;

/// Random choices (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub struct Choices(u64);

impl Choices {
    /// Choices that follow from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let random = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(random).unwrap_or(0) % end.max(1)
    }

    /// One of `all`.
    pub fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// `message` with one to four things wrong; now and then with none.
    pub fn mutate(&mut self, message: &[u8]) -> Vec<u8> {
        let mut broken = message.to_vec();
        for _ in 0..self.below(5) {
            self.break_once(&mut broken);
        }
        broken
    }

    fn break_once(&mut self, message: &mut Vec<u8>) {
        let at = self.below(message.len() + 1);
        let end = (at + self.below(16)).min(message.len());
        match self.below(8) {
            0 => message.truncate(at),
            1 => drop(message.drain(at..end)),
            2 => {
                let again = message[at..end].to_vec();
                message.splice(at..at, again);
            }
            3 => {
                let fragment = self.one_of(&FRAGMENTS);
                message.splice(at..end, fragment.iter().copied());
            }
            4 | 5 => {
                if let Some(byte) = message.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            6 => {
                let brackets = if self.below(2) == 0 { b'[' } else { b'{' };
                message.splice(at..at, std::iter::repeat_n(brackets, NESTING));
            }
            _ => {
                let fragment = self.one_of(&FRAGMENTS);
                message.splice(at..at, fragment.iter().copied());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_breaks_a_message_in_one_way_and_another_in_another() {
        let broken = |seed| {
            let mut choices = Choices::from_seed(seed);
            (0..8)
                .map(|_| choices.mutate(b"{\"a\":1}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(broken(1), broken(1));
        assert_ne!(broken(1), broken(2));
        assert!(broken(3).iter().any(|message| message != b"{\"a\":1}"));
    }
}
