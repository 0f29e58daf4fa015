//! `serve` and `unserve`: what is there now, and for whom.

use peerage_node::gateway::frontend::rest::api::ReloadResponse;

use super::one_line;

/// What `peerage serve` says. `reloaded` is absent when no node runs.
pub fn served(
    name: &str,
    share: bool,
    replaced: bool,
    reloaded: Option<&ReloadResponse>,
) -> String {
    let verb = if replaced { "Replaced" } else { "Added" };
    let access = match share {
        true => with_whom(reloaded),
        false => {
            "Private: only agents on this machine. Share it with: peerage serve NAME --share ..."
                .to_owned()
        }
    };
    let live = match reloaded {
        Some(_) => "Starting; see how it fares with: peerage status",
        None if share => {
            "It starts with the node. Let a machine in, which starts it: peerage invite"
        }
        None => "It starts with the node: peerage up --background",
    };
    format!("{verb} {name}.\n{access}\n{live}\n")
}

fn with_whom(reloaded: Option<&ReloadResponse>) -> String {
    let Some(ReloadResponse {
        mesh: Some(mesh),
        members,
        ..
    }) = reloaded
    else {
        return "Shared: every member of the mesh that this node belongs to or will belong to gains access."
            .to_owned();
    };
    let mesh = one_line(mesh);
    match members.as_slice() {
        [] => format!(
            "Shared: nobody else is in the mesh {mesh} yet; everyone who joins it gains access."
        ),
        [member] => format!(
            "Shared: {} gains access now, and so does everyone who joins the mesh {mesh}.",
            one_line(member)
        ),
        [members @ .., last] => format!(
            "Shared: {} and {} gain access now, and so does everyone who joins the mesh {mesh}.",
            one_line(&members.join(", ")),
            one_line(last)
        ),
    }
}

/// What `peerage unserve` says.
pub fn unserved(name: &str, live: bool) -> String {
    match live {
        true => format!("Removed {name}; its tools are gone.\n"),
        false => format!("Removed {name}.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reloaded(members: &[&str]) -> ReloadResponse {
        ReloadResponse {
            added: vec!["fs".to_owned()],
            mesh: Some("7vK9".to_owned()),
            members: members.iter().map(|member| (*member).to_owned()).collect(),
            ..ReloadResponse::default()
        }
    }

    #[test]
    fn sharing_names_everyone_who_gains_access() {
        insta::assert_snapshot!(served(
            "fs",
            true,
            false,
            Some(&reloaded(&["desk", "laptop"]))
        ));
    }

    #[test]
    fn one_gains_access_and_many_gain_it() {
        let said = |members: &[&str]| served("fs", true, false, Some(&reloaded(members)));
        assert!(said(&["laptop"]).contains("Shared: laptop gains access now,"));
        let many = said(&["desk", "laptop", "shed"]);
        assert!(many.contains("Shared: desk, laptop and shed gain access now,"));
    }

    #[test]
    fn sharing_with_nobody_yet_says_who_will_gain_access() {
        let text = served("fs", true, false, Some(&reloaded(&[])));
        assert!(
            text.contains("everyone who joins it gains access"),
            "{text}"
        );
    }

    #[test]
    fn sharing_before_there_is_a_node_says_who_will_gain_access() {
        let text = served("fs", true, true, None);
        assert!(text.contains("every member of the mesh"), "{text}");
        assert!(text.contains("which starts it: peerage invite"), "{text}");
        let private = served("fs", false, false, None);
        assert!(private.contains("peerage up --background"), "{private}");
    }

    #[test]
    fn a_private_server_says_that_it_is() {
        insta::assert_snapshot!(served("fs", false, false, Some(&reloaded(&["desk"]))));
    }
}
