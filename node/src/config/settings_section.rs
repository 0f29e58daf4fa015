//! One table of `peerage.toml`: typed values out of it, and what is wrong with them by line and key.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use toml_edit::{Item, TableLike};

use super::settings_error::SettingsError;

/// One table of the file, with what is needed to say where a fault is.
pub(super) struct Section<'a> {
    text: &'a str,
    name: &'a str,
    table: &'a dyn TableLike,
}

impl<'a> Section<'a> {
    /// What stands outside of every table.
    pub(super) fn root(text: &'a str, table: &'a dyn TableLike) -> Self {
        Self {
            text,
            name: "",
            table,
        }
    }

    /// The table of that name within this one.
    pub(super) fn section(&self, name: &'a str) -> Result<Option<Section<'a>>, SettingsError> {
        let table = self.read(name, "a table", Item::as_table_like)?;
        Ok(table.map(|table| Section {
            text: self.text,
            name,
            table,
        }))
    }

    /// A value, if there is one; `expected` says what it must be where `convert` does not take it.
    pub(super) fn read<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&'a Item) -> Option<T>,
    ) -> Result<Option<T>, SettingsError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(item) => match convert(item) {
                Some(value) => Ok(Some(value)),
                None => Err(self.error(key, &format!("must be {expected}"))),
            },
        }
    }

    /// An array of strings.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, SettingsError> {
        self.read(key, "an array of strings", |item| {
            let texts = item.as_array()?.iter();
            texts
                .map(|value| value.as_str().map(str::to_owned))
                .collect()
        })
    }

    /// A string that means something; what is wrong with one that does not is said without repeating it.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &self,
        key: &str,
    ) -> Result<Option<T>, SettingsError> {
        let text = self.read(key, "a string", Item::as_str)?;
        text.map(str::parse)
            .transpose()
            .map_err(|error: T::Err| self.error(key, &error.to_string()))
    }

    /// A port; 0 means any.
    pub(super) fn port(&self, key: &str) -> Result<Option<u16>, SettingsError> {
        self.read(key, "a port from 0 to 65535", |item| {
            u16::try_from(item.as_integer()?).ok()
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, SettingsError> {
        let names: Vec<String> = choices
            .iter()
            .map(|(name, _)| format!("{name:?}"))
            .collect();
        self.read(key, &names.join(" or "), |item| {
            let text = item.as_str()?;
            let chosen = choices.iter().find(|(name, _)| *name == text)?;
            Some(chosen.1)
        })
    }

    /// What is wrong with that key, and where.
    pub(super) fn error(&self, key: &str, problem: &str) -> SettingsError {
        SettingsError {
            line: self.line(key),
            key: self.path(key),
            problem: problem.to_owned(),
        }
    }

    /// The keys that are not among the known, each as `line 3, key "http.prot"`.
    pub(super) fn unknown(&self, known: &[&str]) -> impl Iterator<Item = String> {
        let keys = self.table.iter().map(|(key, _)| key);
        let unknown = keys.filter(|key| !known.contains(key));
        unknown.map(|key| format!("line {}, key {:?}", self.line(key), self.path(key)))
    }

    fn path(&self, key: &str) -> String {
        match self.name {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    fn line(&self, key: &str) -> usize {
        let of_key = self.table.key(key).and_then(toml_edit::Key::span);
        let of_item = || self.table.get(key).and_then(Item::span);
        line_of(self.text, of_key.or_else(of_item))
    }
}

/// The line, from 1, where a span of the text begins.
pub(super) fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start).min(text.len());
    1 + text.as_bytes()[..start]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}
