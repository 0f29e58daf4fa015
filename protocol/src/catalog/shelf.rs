//! What one server offers besides its tools: prompts, resources, and templates of resources.
//!
//! Definitions are raw JSON that this crate carries and does not read.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::ITEM_KEY_BYTES_MAX;

/// The prompts and resources of one server, each list in the server's own order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// Prompts; the key is the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<ShelfItem>,
    /// Resources; the key is the URI.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ShelfItem>,
    /// Templates of resources; the key is the URI template (RFC 6570).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<ShelfItem>,
    /// Changes that the server announced and that its lists do not show.
    #[serde(default, skip_serializing_if = "Revisions::are_none")]
    pub revisions: Revisions,
}

/// How often a server has said that a list had changed although it was the same: what it answers may have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revisions {
    /// Of its tools.
    #[serde(default)]
    pub tools: u64,
    /// Of its prompts.
    #[serde(default)]
    pub prompts: u64,
    /// Of its resources and templates.
    #[serde(default)]
    pub resources: u64,
}

impl Revisions {
    /// Whether there was none.
    pub const fn are_none(&self) -> bool {
        self.tools == 0 && self.prompts == 0 && self.resources == 0
    }
}

/// One prompt, resource or template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelfItem {
    /// What its server knows it by, at most [`ITEM_KEY_BYTES_MAX`] bytes.
    pub key: Arc<str>,
    /// The raw JSON object that describes it, as its server gave it.
    pub definition: Arc<str>,
}

impl Shelf {
    /// Whether there is nothing on it, nor was anything announced.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0 && self.revisions.are_none()
    }

    /// How many items it has.
    pub const fn len(&self) -> usize {
        self.prompts.len() + self.resources.len() + self.templates.len()
    }

    /// Refuses keys that occur twice in one list, or are too long.
    pub fn check(&self) -> Result<(), ShelfError> {
        for items in [&self.prompts, &self.resources, &self.templates] {
            let mut seen = BTreeSet::new();
            for item in items {
                if item.key.len() > ITEM_KEY_BYTES_MAX {
                    return Err(ShelfError::KeyTooLong {
                        length: item.key.len(),
                    });
                }
                if !seen.insert(&item.key) {
                    let key = item.key.to_string();
                    return Err(ShelfError::Duplicate { key });
                }
            }
        }
        Ok(())
    }
}

/// Why prompts and resources are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// A key over its bound.
    #[error("a name or URI has {length} bytes; at most {ITEM_KEY_BYTES_MAX} are allowed")]
    KeyTooLong {
        /// Its bytes.
        length: usize,
    },
    /// A key that occurs twice in one list.
    #[error("{key:?} is named twice")]
    Duplicate {
        /// Which.
        key: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str) -> ShelfItem {
        ShelfItem {
            key: key.into(),
            definition: "{}".into(),
        }
    }

    #[test]
    fn one_key_may_name_a_prompt_and_a_resource_but_not_two_prompts() {
        let mut shelf = Shelf {
            prompts: vec![item("a")],
            resources: vec![item("a")],
            ..Shelf::default()
        };
        assert_eq!(shelf.check(), Ok(()));
        shelf.prompts.push(item("a"));
        let key = "a".to_owned();
        assert_eq!(shelf.check(), Err(ShelfError::Duplicate { key }));
    }

    #[test]
    fn a_key_over_its_bound_is_refused() {
        let long = "x".repeat(ITEM_KEY_BYTES_MAX + 1);
        let shelf = Shelf {
            resources: vec![item(&long)],
            ..Shelf::default()
        };
        let length = ITEM_KEY_BYTES_MAX + 1;
        assert_eq!(shelf.check(), Err(ShelfError::KeyTooLong { length }));
    }
}
