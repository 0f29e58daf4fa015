//! `${VAR}` and `${VAR:-default}` in the values of `mcp.json`, as other MCP clients expand them.

use super::environment::Environment;

/// A variable that is not set and has no default.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the variable {name} is not set; set it where the node runs, or write ${{{name}:-default}}"
)]
pub struct Unset {
    /// Its name.
    pub name: String,
}

/// Replaces the variables in `text`. A default is used when the variable is unset or empty, as in a shell; it is not
/// expanded in turn. What only resembles a variable (`$VAR`, `${1}`, `${VAR`) stays as it is: it may be meant for a
/// shell that the upstream runs.
pub fn expand(text: &str, environment: &dyn Environment) -> Result<String, Unset> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        expanded.push_str(before);
        match Reference::parse(from) {
            Some(reference) => {
                expanded.push_str(&reference.value(environment)?);
                rest = &from[reference.length..];
            }
            None => {
                expanded.push_str("${");
                rest = &from[2..];
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

struct Reference<'a> {
    name: &'a str,
    default: Option<&'a str>,
    length: usize,
}

impl<'a> Reference<'a> {
    /// Reads the reference that `text` begins with.
    fn parse(text: &'a str) -> Option<Self> {
        let inside = text.strip_prefix("${")?;
        let end = inside.find('}')?;
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        is_variable_name(name).then_some(Self {
            name,
            default,
            length: end + 3,
        })
    }

    fn value(&self, environment: &dyn Environment) -> Result<String, Unset> {
        match (environment.variable(self.name), self.default) {
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(Unset {
                name: self.name.to_owned(),
            }),
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn expanded(text: &str) -> Result<String, Unset> {
        let set = [("TOKEN", "s3cret"), ("EMPTY", "")];
        let environment: BTreeMap<String, String> = set
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        expand(text, &environment)
    }

    #[test]
    fn a_set_variable_is_replaced_wherever_it_stands() {
        assert_eq!(
            expanded("a ${TOKEN}${TOKEN:-x} b"),
            Ok("a s3crets3cret b".to_owned())
        );
    }

    #[test]
    fn a_default_stands_in_for_an_unset_or_empty_variable() {
        assert_eq!(
            expanded("${NONE:-a:-b}${EMPTY:-c}${EMPTY}"),
            Ok("a:-bc".to_owned())
        );
    }

    #[test]
    fn an_unset_variable_without_default_is_named() {
        let name = "NONE".to_owned();
        assert_eq!(expanded("${NONE}"), Err(Unset { name }));
    }

    #[test]
    fn what_only_resembles_a_variable_is_left_alone() {
        for text in ["$TOKEN", "${1}", "${TOKEN", "${}", "${a b}", "$", "${TOK${"] {
            assert_eq!(expanded(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_value_is_not_expanded_again() {
        let environment = BTreeMap::from([("A".to_owned(), "${B}".to_owned())]);
        assert_eq!(expand("${A}", &environment).as_deref(), Ok("${B}"));
    }

    proptest! {
        #[test]
        fn any_text_is_expanded_without_a_panic(text in r"[${}:\-Aé0]{0,40}") {
            let _ = expanded(&text);
        }
    }
}
