//! The names tools go by: total and injective for every tool name, and never more than 64 characters.
//!
//! A tool of this node is `server__tool`, a tool of another is `node__server__tool`, both in `[A-Za-z0-9_-]`, which
//! is what model vendors accept. Server and node names hold no underscore, and an escaped tool never holds two in a
//! row, so the separators are unmistakable and a local name is never a remote one. In the tool part a character
//! stands for itself when it is an ASCII letter, a digit, `-`, or a `_` between two letters or digits; any other
//! becomes `_-` + its code point in lowercase hexadecimal + `-`. A `_` that stands for itself is never followed by
//! `-`, so an escape is unmistakable too.
//!
//! A name that would be too long keeps its beginning and ends with `_-h` + 80 bits of BLAKE3 over what it names: no
//! escape begins so, because `h` is no hexadecimal digit. Two such names meet only if the hash does.

use crate::id::{NodeName, ServerName};

/// Most characters of a qualified name.
pub const QUALIFIED_NAME_MAX: usize = 64;

/// What separates node, server and tool.
pub const SEPARATOR: &str = "__";

/// Begins the hash at the end of a name that is cut.
const HASH_MARK: &str = "_-h";
/// Bytes of hash that a cut name shows: 16 characters of base32.
const HASH_BYTES: usize = 10;
/// Characters of a cut name before its hash.
const KEPT_MAX: usize = QUALIFIED_NAME_MAX - HASH_MARK.len() - 16;

/// Separates these hashes from every other.
const HASH_CONTEXT: &[u8] = b"peerage tool name v1\0";

/// What a tool of this node is called here.
pub fn local_name(server: &ServerName, tool: &str) -> String {
    qualified(&[server.as_str()], tool)
}

/// What a tool of another node is called here.
pub fn remote_name(node: &NodeName, server: &ServerName, tool: &str) -> String {
    qualified(&[node.as_str(), server.as_str()], tool)
}

fn qualified(owners: &[&str], tool: &str) -> String {
    let mut name = String::with_capacity(QUALIFIED_NAME_MAX);
    for owner in owners {
        name.push_str(owner);
        name.push_str(SEPARATOR);
    }
    let before_tool = name.len();
    push_escaped(&mut name, tool);
    if name.len() > QUALIFIED_NAME_MAX {
        name.truncate(KEPT_MAX);
        if name.len() > before_tool && name.ends_with('_') {
            name.pop();
        }
        name.push_str(HASH_MARK);
        name.push_str(&hash(owners, tool));
    }
    name
}

/// Appends the escaped `tool`; stops once the name is too long, since the rest would be cut.
fn push_escaped(name: &mut String, tool: &str) {
    let mut before = None;
    let mut characters = tool.chars().peekable();
    while let Some(character) = characters.next() {
        if is_literal(before, character, characters.peek().copied()) {
            name.push(character);
        } else {
            name.push_str(&format!("_-{:x}-", u32::from(character)));
        }
        if name.len() > QUALIFIED_NAME_MAX {
            return;
        }
        before = Some(character);
    }
}

fn is_literal(before: Option<char>, character: char, after: Option<char>) -> bool {
    let alphanumeric =
        |neighbour: Option<char>| neighbour.is_some_and(|c| c.is_ascii_alphanumeric());
    match character {
        '_' => alphanumeric(before) && alphanumeric(after),
        '-' => true,
        _ => character.is_ascii_alphanumeric(),
    }
}

/// 80 bits over the whole of what is named; owners are short and counted, so nothing else encodes alike.
fn hash(owners: &[&str], tool: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(HASH_CONTEXT);
    for part in owners.iter().chain([&tool]) {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let hash = hasher.finalize();
    let shown = hash.as_bytes().get(..HASH_BYTES).unwrap_or_default();
    data_encoding::BASE32_NOPAD
        .encode(shown)
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    type Triple = (Option<String>, String, String);

    fn name((node, server, tool): &Triple) -> String {
        let server = server.parse().unwrap();
        match node {
            Some(node) => remote_name(&node.parse().unwrap(), &server, tool),
            None => local_name(&server, tool),
        }
    }

    fn local(server: &str, tool: &str) -> String {
        name(&(None, server.to_owned(), tool.to_owned()))
    }

    fn remote(node: &str, server: &str, tool: &str) -> String {
        name(&(Some(node.to_owned()), server.to_owned(), tool.to_owned()))
    }

    #[test]
    fn common_names_stay_as_they_are() {
        assert_eq!(local("files", "read_file"), "files__read_file");
        assert_eq!(
            remote("laptop", "files", "read_file"),
            "laptop__files__read_file"
        );
        assert_eq!(local("git", "git-log2"), "git__git-log2");
    }

    #[test]
    fn uncommon_characters_are_escaped() {
        assert_eq!(local("s", "a.b"), "s__a_-2e-b");
        assert_eq!(local("s", "a__b"), "s__a_-5f-_-5f-b");
        assert_eq!(local("s", "_a"), "s___-5f-a");
        assert_eq!(local("s", "über"), "s___-fc-ber");
        assert_eq!(local("s", ""), "s__");
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_ends_with_a_hash() {
        let long = local("files", &"x".repeat(100));
        assert_eq!(
            long,
            format!("files__{}_-h2glyuxps4uud7lm4", "x".repeat(38))
        );
        assert_ne!(long, local("files", &"x".repeat(101)));
    }

    #[test]
    fn a_tool_named_like_a_hash_meets_no_cut_name() {
        let longest = "n".repeat(20);
        let cut = remote(&longest, &longest, &"x".repeat(30));
        let (_, hash) = cut.rsplit_once("_-h").unwrap();
        let mimic = remote(&longest, &longest, &format!("x_-h{hash}"));
        assert_ne!(cut, mimic);
    }

    fn short_name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-b-]{1,2}", "[a-z0-9-]{1,20}", "[a-z0-9-]{20}"]
    }

    fn tool() -> impl Strategy<Value = String> {
        prop_oneof![
            "[_-]{0,6}",
            "[_a-]{0,8}",
            "[_5fh-]{0,12}",
            "[a-z]{10,24}[_h-]{0,3}[a-z2-7]{14,20}",
            "[_a-]{10,70}",
            any::<String>(),
        ]
    }

    fn triple() -> impl Strategy<Value = Triple> {
        (proptest::option::of(short_name()), short_name(), tool())
    }

    /// Two triples that differ little.
    fn neighbours() -> impl Strategy<Value = (Triple, Triple)> {
        (triple(), any::<prop::sample::Index>(), "[_a5fh-]{1,2}").prop_map(|(one, at, text)| {
            let mut other = one.clone();
            let places: Vec<usize> = other.2.char_indices().map(|(place, _)| place).collect();
            let place = if places.is_empty() {
                0
            } else {
                places[at.index(places.len())]
            };
            other.2.insert_str(place, &text);
            (one, other)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn every_tool_has_a_short_name_of_allowed_characters(triple in triple()) {
            let name = name(&triple);
            prop_assert!(name.len() <= QUALIFIED_NAME_MAX, "{name}");
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{name}");
            let separators = 1 + usize::from(triple.0.is_some());
            prop_assert_eq!(name.matches(SEPARATOR).count(), separators, "{}", name);
        }

        #[test]
        fn different_tools_have_different_names(one in triple(), other in triple()) {
            prop_assume!(one != other);
            prop_assert_ne!(name(&one), name(&other));
        }

        #[test]
        fn tools_that_differ_little_have_different_names((one, other) in neighbours()) {
            prop_assert_ne!(name(&one), name(&other));
        }

        #[test]
        fn a_name_that_is_not_cut_can_be_read_back(triple in triple()) {
            let name = name(&triple);
            prop_assume!(!name.contains(HASH_MARK));
            let owners = triple.0.iter().len() + 1;
            let escaped = name.splitn(owners + 1, SEPARATOR).last().unwrap();
            prop_assert_eq!(unescape(escaped), triple.2);
        }
    }

    fn unescape(mut escaped: &str) -> String {
        let mut tool = String::new();
        while let Some((before, after)) = escaped.split_once("_-") {
            let (code, rest) = after.split_once('-').unwrap();
            tool.push_str(before);
            tool.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            escaped = rest;
        }
        tool + escaped
    }
}
