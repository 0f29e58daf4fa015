//! Whether a URI could come from a template (RFC 6570), as far as routing needs it.
//!
//! An expression stands for any characters, none among them: which server is asked depends on the literal parts, and
//! the server itself decides what its variables may hold.

/// Whether `uri` has the literal parts of `template` in order, with anything where it has expressions. An opening
/// brace that is never closed is a literal.
pub fn matches(template: &str, uri: &str) -> bool {
    let literals = literal_parts(template);
    let Some((first, rest)) = literals.split_first() else {
        return uri.is_empty();
    };
    let Some(mut left) = uri.strip_prefix(first) else {
        return false;
    };
    let Some((last, between)) = rest.split_last() else {
        return left.is_empty();
    };
    for literal in between {
        match left.split_once(literal) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
}

/// What stands between the expressions: one part more than there are expressions.
fn literal_parts(template: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut left = template;
    while let Some((before, after)) = left.split_once('{') {
        let Some((_, behind)) = after.split_once('}') else {
            break;
        };
        parts.push(before);
        left = behind;
    }
    parts.push(left);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literal_parts_must_occur_in_order() {
        assert!(matches(
            "test://template/{id}/data",
            "test://template/12/data"
        ));
        assert!(!matches("test://template/{id}/data", "test://template/12"));
        assert!(matches("file:///{+path}", "file:///a/b/c"));
        assert!(matches("x:{a}-{b}{?c}", "x:1-2?c=3"));
        assert!(!matches("x:{a}-{b}", "x:12"));
        assert!(matches("plain:uri", "plain:uri"));
        assert!(!matches("plain:uri", "plain:uri2"));
        assert!(matches("odd:{", "odd:{"));
    }

    proptest! {
        #[test]
        fn no_text_panics(template in "[a{}é]{0,12}", uri in "[aé]{0,12}") {
            let _ = matches(&template, &uri);
        }

        #[test]
        fn what_is_put_in_matches(before in "[a-z/]{0,6}", value in "[a-z0-9/]{0,6}", after in "[a-z/]{0,6}") {
            let template = format!("{before}{{x}}{after}");
            let uri = format!("{before}{value}{after}");
            prop_assert!(matches(&template, &uri));
        }
    }
}
