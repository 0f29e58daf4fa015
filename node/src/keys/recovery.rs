//! The root key as words that a person can write down: the 24 English words of BIP-39 that stand for its 32 bytes.

use bip39::{Language, Mnemonic};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

/// How many words a key has.
pub const RECOVERY_WORDS: usize = 24;

/// The words of `key`, with spaces between. Whoever has them has the key.
pub fn recovery_words(key: &SigningKey) -> Zeroizing<String> {
    let entropy = Zeroizing::new(key.to_bytes());
    let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy.as_ref());
    // 32 bytes are one of the five lengths that BIP-39 has words for.
    let words = mnemonic.map(|mnemonic| mnemonic.words().collect::<Vec<_>>().join(" "));
    Zeroizing::new(words.unwrap_or_default())
}

/// Reads the words of a key: white space, numbers before the words and capitals are forgiven.
///
/// # Errors
///
/// What is wrong, without saying any word that may be right.
pub fn key_of_words(text: &str) -> Result<SigningKey, RecoveryError> {
    let lower = Zeroizing::new(text.to_lowercase());
    let words = lower.split(|c: char| !c.is_alphabetic());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if words.len() != RECOVERY_WORDS {
        return Err(RecoveryError::Count { found: words.len() });
    }
    let joined = Zeroizing::new(words.join(" "));
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, &joined).map_err(|error| match error {
            bip39::Error::UnknownWord(place) => RecoveryError::UnknownWord { place: place + 1 },
            _ => RecoveryError::Checksum,
        })?;
    let (entropy, length) = mnemonic.to_entropy_array();
    let entropy = Zeroizing::new(entropy);
    let secret = entropy
        .get(..length)
        .and_then(|e| <[u8; 32]>::try_from(e).ok());
    let secret = Zeroizing::new(secret.ok_or(RecoveryError::Checksum)?);
    Ok(SigningKey::from_bytes(&secret))
}

/// Why words are no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// Too few or too many.
    #[error("a root key has {RECOVERY_WORDS} words, not {found}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// A word that is in no list.
    #[error("word {place} is none of the list; compare it with what was written down")]
    UnknownWord {
        /// Which, from 1.
        place: usize,
    },
    /// Each is a word, and together they are no key.
    #[error(
        "the words do not fit together; one is another than was written down, or two are swapped"
    )]
    Checksum,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_words_are_those_of_the_reference_and_are_read_back() {
        // The fourth vector of 256 bits in BIP-39's reference test vectors.
        let key = SigningKey::from_bytes(&[0xff; 32]);
        let words = recovery_words(&key);
        let reference = format!("{} vote", ["zoo"; 23].join(" "));
        assert_eq!(*words, reference);
        let numbered: String = words
            .split(' ')
            .enumerate()
            .map(|(number, word)| format!("{}. {}\n", number + 1, word.to_uppercase()))
            .collect();
        assert_eq!(key_of_words(&numbered).unwrap().to_bytes(), key.to_bytes());
    }

    #[test]
    fn what_is_wrong_is_named_by_place_and_no_word_is_repeated() {
        let words = recovery_words(&SigningKey::from_bytes(&[7; 32]));
        let mut one_wrong: Vec<&str> = words.split(' ').collect();
        one_wrong[4] = "peerage";
        let refused = key_of_words(&one_wrong.join(" ")).unwrap_err();
        assert_eq!(refused, RecoveryError::UnknownWord { place: 5 });
        assert!(!refused.to_string().contains("peerage"));
        let mut swapped: Vec<&str> = words.split(' ').collect();
        swapped.swap(0, 1);
        assert_eq!(
            key_of_words(&swapped.join(" ")).unwrap_err(),
            RecoveryError::Checksum
        );
        assert_eq!(
            key_of_words("zoo zoo").unwrap_err(),
            RecoveryError::Count { found: 2 }
        );
    }
}
