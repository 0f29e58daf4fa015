//! Joining without a ticket: a few words that a new node and an admin both show, and that nobody between them can choose.
//!
//! The joiner's nonce in the hello is a commitment to random bytes that it opens only after it has heard the admin's
//! nonce. So whoever stands between them must fix its part of one handshake before it knows the words of the other,
//! and has one chance in 2⁴⁴ for each that it begins (numeric comparison in Bluetooth Core 5.4, Vol 3 Part H 2.3.5.6;
//! short authentication strings in RFC 6189, 4.4.1.1).

use std::fmt;
use std::str::FromStr;

use bip39::Language;
use serde::{Deserialize, Serialize};

use super::ticket::Transcript;

/// Separates commitments from every other hash.
const COMMITMENT_CONTEXT: &[u8] = b"peerage join request commitment v1\0";
/// Separates the hash that the words are taken from.
const WORDS_CONTEXT: &[u8] = b"peerage join request words v1\0";

/// How many words are compared; each stands for 11 bits.
pub const WORDS: usize = 4;
/// Bits of one word: the English list of BIP-39 has 2,048.
const WORD_BITS: u32 = 11;

/// The random bytes that the joiner has committed to; told with its claim, and worth nothing afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Opening(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl Opening {
    /// What the joiner puts in place of a nonce into its hello.
    pub fn commitment(&self) -> [u8; 32] {
        let hash = blake3::Hasher::new()
            .update(COMMITMENT_CONTEXT)
            .update(&self.0)
            .finalize();
        *hash.as_bytes()
    }

    /// Whether the joiner's hello in the handshake `transcript` was a commitment to this.
    pub fn opens(&self, transcript: &Transcript) -> bool {
        self.commitment() == transcript.dialer_nonce
    }

    /// The words that both ends of the handshake `transcript` show.
    pub fn words(&self, transcript: &Transcript) -> RequestWords {
        let hash = blake3::Hasher::new()
            .update(WORDS_CONTEXT)
            .update(transcript.dialer.public_key())
            .update(transcript.listener.public_key())
            .update(&self.0)
            .update(&transcript.listener_nonce)
            .finalize();
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        RequestWords(std::array::from_fn(|place| {
            let place = u32::try_from(place).unwrap_or(0);
            let shifted = bits >> (u64::BITS - WORD_BITS * (place + 1));
            u16::try_from(shifted & ((1 << WORD_BITS) - 1)).unwrap_or(0)
        }))
    }
}

/// The words of one request, as places in the English word list of BIP-39.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestWords([u16; WORDS]);

impl fmt::Display for RequestWords {
    /// In lower case, joined by hyphens, so that they are one word to a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = Language::English.word_list();
        let words = self.0.map(|place| list[usize::from(place)]);
        f.write_str(&words.join("-"))
    }
}

impl FromStr for RequestWords {
    type Err = NotRequestWords;

    /// Reads what a person typed: hyphens or spaces between, capitals forgiven.
    fn from_str(text: &str) -> Result<Self, NotRequestWords> {
        let text = text.trim().to_ascii_lowercase();
        let typed = text.split(|c: char| c == '-' || c.is_whitespace());
        let mut words = [0; WORDS];
        let mut found = 0;
        for word in typed.filter(|word| !word.is_empty()) {
            let place =
                Language::English
                    .find_word(word)
                    .ok_or_else(|| NotRequestWords::UnknownWord {
                        word: word.chars().take(32).collect(),
                    })?;
            if let Some(slot) = words.get_mut(found) {
                *slot = place;
            }
            found += 1;
        }
        match found {
            WORDS => Ok(Self(words)),
            found => Err(NotRequestWords::Count { found }),
        }
    }
}

/// Why a text is not the words of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRequestWords {
    /// Too few or too many.
    #[error("a request has {WORDS} words, not {found}; type all that the other machine shows")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// A word that is in no request.
    #[error("{word:?} is in no request; type the words as the other machine shows them")]
    UnknownWord {
        /// The first such word, cut at 32 characters.
        word: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::id::NodeId;

    fn transcript(opening: &Opening) -> Transcript {
        Transcript {
            dialer: NodeId::from_public_key([1; 32]),
            listener: NodeId::from_public_key([2; 32]),
            dialer_nonce: opening.commitment(),
            listener_nonce: [3; 32],
        }
    }

    #[test]
    fn the_words_and_the_commitment_of_version_one_are_fixed() {
        let opening = Opening([4; 32]);
        let transcript = transcript(&opening);
        let commitment = data_encoding::HEXLOWER.encode(&opening.commitment());
        assert_eq!(
            commitment,
            "dd9d79eb61561ccf60f656bb2eaa9f84195a4c92f06709b3496dbb5aa11f0893"
        );
        assert_eq!(
            opening.words(&transcript).to_string(),
            "circle-shock-chief-stool"
        );
    }

    #[test]
    fn other_ends_another_opening_or_another_nonce_give_other_words() {
        let opening = Opening([4; 32]);
        let honest = transcript(&opening);
        let words = opening.words(&honest);
        let others = [
            Transcript {
                dialer: NodeId::from_public_key([9; 32]),
                ..honest
            },
            Transcript {
                listener: NodeId::from_public_key([9; 32]),
                ..honest
            },
            Transcript {
                listener_nonce: [9; 32],
                ..honest
            },
        ];
        for other in others {
            assert_ne!(opening.words(&other), words);
        }
        let another = Opening([5; 32]);
        assert_ne!(another.words(&honest), words);
        assert!(opening.opens(&honest) && !another.opens(&honest));
    }

    #[test]
    fn what_a_person_types_is_read_and_what_is_wrong_is_named() {
        let opening = Opening([4; 32]);
        let words = opening.words(&transcript(&opening));
        let shouted = words.to_string().to_uppercase().replace('-', "  ");
        assert_eq!(shouted.parse(), Ok(words));
        let cut: Result<RequestWords, _> = "zoo-zoo".parse();
        assert_eq!(cut, Err(NotRequestWords::Count { found: 2 }));
        assert!("zoo zoo zoo peerage".parse::<RequestWords>().is_err());
    }

    proptest! {
        #[test]
        fn all_words_are_read_back(bytes in any::<[u8; 32]>()) {
            let opening = Opening(bytes);
            let words = opening.words(&transcript(&opening));
            prop_assert_eq!(words.to_string().parse(), Ok(words));
        }

        #[test]
        fn any_text_is_words_or_a_named_refusal(text in any::<String>()) {
            let _ = text.parse::<RequestWords>();
        }
    }
}
