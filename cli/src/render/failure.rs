//! What a failed command says on standard error.

use super::one_line;
use crate::failure::Failure;
use crate::terminal::View;

/// The message, and what to do.
pub fn failure(failure: &Failure, view: View) -> String {
    let problem = &failure.refused.error;
    let label = match view.colour {
        true => "\u{1b}[1;31mpeerage:\u{1b}[0m",
        false => "peerage:",
    };
    let mut text = format!("{label} {}\n", one_line(&problem.message));
    if let Some(hint) = &problem.hint {
        text.push_str(&format!("  {}\n", one_line(hint)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_failure_says_what_to_do() {
        let text = failure(
            &Failure::no_node(Path::new("/home/me/peerage")),
            View::default(),
        );
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_same_words_stand_in_colour() {
        let view = View {
            colour: true,
            ..View::default()
        };
        let text = failure(&Failure::failed("kind", "message"), view);
        assert!(text.contains("peerage:"), "{text:?}");
    }
}
