//! `KEY=VALUE` on the command line: variables of a server, and arguments of a tool.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::value::{RawValue, to_raw_value};

/// A variable for a served command. `Debug` shows its name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; may be a secret.
    pub value: String,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variable").field(&self.name).finish()
    }
}

impl FromStr for Variable {
    type Err = PairError;

    fn from_str(text: &str) -> Result<Self, PairError> {
        let (name, value) = split(text)?;
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// One argument of a tool.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Its name.
    pub name: String,
    /// The value as raw JSON: as written when it is JSON, else the text as a JSON string.
    pub value: Box<RawValue>,
}

impl FromStr for Pair {
    type Err = PairError;

    fn from_str(text: &str) -> Result<Self, PairError> {
        let (name, value) = split(text)?;
        let as_json = RawValue::from_string(value.trim().to_owned());
        let value = as_json
            .or_else(|_| to_raw_value(value))
            .map_err(|_| PairError)?;
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// The first name that stands before two values.
pub(super) fn given_twice(pairs: &[Pair]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    let mut names = pairs.iter().map(|pair| pair.name.as_str());
    names.find(|name| !seen.insert(*name))
}

fn split(text: &str) -> Result<(&str, &str), PairError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(PairError),
    }
}

/// A text without a name before an equals sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write KEY=VALUE")]
pub struct PairError;

/// All arguments of a tool as one JSON object, kept as written.
#[derive(Clone, Debug)]
pub struct ArgumentsObject(pub Box<RawValue>);

impl FromStr for ArgumentsObject {
    type Err = ArgumentsError;

    fn from_str(text: &str) -> Result<Self, ArgumentsError> {
        let raw = RawValue::from_string(text.trim().to_owned())?;
        match raw.get().starts_with('{') {
            true => Ok(Self(raw)),
            false => Err(ArgumentsError::NotAnObject),
        }
    }
}

impl ArgumentsObject {
    /// The object of these pairs, whose names differ: the command line is refused otherwise.
    pub fn from_pairs(pairs: &[Pair]) -> serde_json::Result<Self> {
        let members: std::collections::BTreeMap<&str, &RawValue> = pairs
            .iter()
            .map(|pair| (pair.name.as_str(), &*pair.value))
            .collect();
        to_raw_value(&members).map(Self)
    }
}

/// Why a text is not the arguments of a tool.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentsError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("give a JSON object, like '{{\"path\": \"/tmp\"}}'")]
    NotAnObject,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn object(pairs: &[&str]) -> String {
        let pairs: Vec<Pair> = pairs.iter().map(|pair| pair.parse().unwrap()).collect();
        ArgumentsObject::from_pairs(&pairs)
            .unwrap()
            .0
            .get()
            .to_owned()
    }

    #[test]
    fn a_value_that_is_json_stays_json_and_any_other_becomes_text() {
        let written = object(&[
            "a=1", "b=true", "c=hello", "d=[1, 2]", "e=", "f=\"1\"", "g=x=y",
        ]);
        assert_eq!(
            written,
            r#"{"a":1,"b":true,"c":"hello","d":[1, 2],"e":"","f":"1","g":"x=y"}"#
        );
    }

    #[test]
    fn a_long_number_keeps_every_digit() {
        assert_eq!(
            object(&["n=12345678901234567890123"]),
            r#"{"n":12345678901234567890123}"#
        );
    }

    #[test]
    fn a_text_without_a_name_is_refused() {
        for text in ["", "=", "=x", "name"] {
            assert_eq!(text.parse::<Variable>(), Err(PairError), "{text}");
        }
    }

    #[test]
    fn the_value_of_a_variable_is_not_shown_by_debug() {
        let variable: Variable = "TOKEN=hunter2".parse().unwrap();
        assert!(!format!("{variable:?}").contains("hunter2"));
    }
}
