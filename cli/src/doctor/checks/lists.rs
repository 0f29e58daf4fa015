//! How much of a model's context the list of tools takes.

use super::Judgement;
use crate::doctor::evidence::Evidence;
use crate::doctor::finding::Finding;

/// Bytes of JSON that make a token, about; measured figures lie between 3 and 4.5.
const BYTES_PER_TOKEN: u64 = 4;
/// A tenth of the context of a common model.
const TOKENS_COMFORTABLE: u64 = 20_000;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let Some(bytes) = evidence.list_bytes else {
        return Judgement::new("not asked: no node answers at its endpoint", None);
    };
    let tokens = bytes / BYTES_PER_TOKEN;
    let large = (tokens > TOKENS_COMFORTABLE).then(|| {
        Finding::notice(
            "list_large",
            format!("the list of tools takes about {tokens} tokens of every conversation"),
            "drop servers that nobody uses (peerage unserve NAME), and keep list = \"budgeted\" under [tools] in peerage.toml",
        )
    });
    Judgement::new(format!("{bytes} bytes, about {tokens} tokens"), large)
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn only_a_large_list_is_told() {
        let with = |list_bytes| {
            names(&check(&Evidence {
                list_bytes,
                ..Evidence::healthy()
            }))
        };
        assert_eq!(with(Some(8_000)), Vec::<&str>::new());
        assert_eq!(with(Some(200_000)), ["list_large"]);
    }
}
