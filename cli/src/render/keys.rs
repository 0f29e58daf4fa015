//! Keys: another one for a node, and the words of the root key.

use peerage_node::gateway::frontend::rest::keys_api::{FoundResponse, RotateResponse};

use super::one_line;

/// What is said before the words are shown.
pub const WORDS_WARNING: &str = "Whoever has these words can let anybody into your mesh, and put anybody out. Look who \
can see this screen; write them on paper and not into a file.\nShow them? Type yes: ";

/// Words in one line of what is shown.
const WORDS_A_LINE: usize = 4;

/// What `peerage keys rotate` says.
pub fn rotated(rotated: &RotateResponse) -> String {
    let out = match rotated.mesh {
        Some(_) => {
            "The old key is put out of the mesh. Tickets that this node has made lead nowhere any more, and guests that \
             were let in for its servers need new ones.\n"
        }
        None => "",
    };
    format!(
        "This node is {} from now on; it was {}.\n{out}",
        one_line(&rotated.new),
        one_line(&rotated.old)
    )
}

/// The words, numbered.
pub fn recovery_words(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let lines = words.chunks(WORDS_A_LINE).enumerate().map(|(line, words)| {
        let numbered = words.iter().enumerate().map(|(place, word)| {
            let number = line * WORDS_A_LINE + place + 1;
            format!("{number:>2}. {word:<10}")
        });
        numbered.collect::<String>().trim_end().to_owned() + "\n"
    });
    let back = "Bring the key back with: peerage restore --recovery-words\n";
    lines.chain([back.to_owned()]).collect()
}

/// What `peerage restore --recovery-words` says.
pub fn founded_anew(founded: &FoundResponse) -> String {
    format!(
        "The root key of the mesh {} is here again. This node is its founder, and is called {}.\n\
         Put the lost one out: peerage revoke NODE --keep-issued-before 0s\n",
        one_line(&founded.mesh),
        one_line(&founded.name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_words_are_numbered_and_all_there() {
        let words: Vec<String> = (1..=24).map(|number| format!("word{number}")).collect();
        insta::assert_snapshot!(recovery_words(&words.join(" ")));
    }

    #[test]
    fn a_new_key_says_what_it_costs() {
        let said = rotated(&RotateResponse {
            old: "12D3KooOld".to_owned(),
            new: "12D3KooNew".to_owned(),
            mesh: Some("mesh".to_owned()),
        });
        insta::assert_snapshot!(said);
    }
}
