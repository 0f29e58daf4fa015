//! Renaming a node, and running it as a service.

use crate::service::Service;

/// What `peerage rename` says; `certified` is the name in the mesh, absent without one.
pub fn renamed(name: &str, certified: Option<&str>) -> String {
    match certified {
        None => format!(
            "This node is called {name} from its next start on: peerage restart\n\
             In the mesh that it founds or joins, its tools are called {name}__SERVER__TOOL on other nodes.\n"
        ),
        Some(certified) if certified == name => {
            format!(
                "This node is called {name}, in its mesh as well. On other nodes its tools are now {name}__SERVER__TOOL, so tell\n\
                 the agents that name them otherwise.\n"
            )
        }
        Some(certified) => format!(
            "Noted, but in its mesh this node stays {certified} until an admin certifies another name.\n\
             Start it, and ask again: peerage up --background, and then: peerage rename {name}\n"
        ),
    }
}

/// What `peerage install` says.
pub fn install(service: &Service, written: bool) -> String {
    let path = service.path.display();
    match written {
        true => format!(
            "Wrote {path}. Start it now and at every login:\n{}",
            commands(&service.enable)
        ),
        false => format!(
            "# {path}\n{}\nWrite it with: peerage install --write\n",
            service.text
        ),
    }
}

/// What `peerage uninstall` says.
pub fn uninstall(service: &Service, removed: bool) -> String {
    let path = service.path.display();
    match removed {
        true => format!(
            "Removed {path}. End what still runs:\n{}",
            commands(&service.disable)
        ),
        false => format!("There is no {path}; nothing was installed.\n"),
    }
}

fn commands(commands: &[String]) -> String {
    commands
        .iter()
        .map(|command| format!("  {command}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renaming_says_what_it_changes_for_others() {
        let said = [None, Some("desk"), Some("laptop")].map(|certified| renamed("desk", certified));
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn a_service_is_shown_first_and_then_started_by_its_owner() {
        let service = Service {
            path: "/etc/peerage.service".into(),
            text: "[Service]\n".to_owned(),
            enable: vec!["systemctl enable".to_owned()],
            disable: vec!["systemctl disable".to_owned()],
        };
        let said = [
            install(&service, false),
            install(&service, true),
            uninstall(&service, true),
            uninstall(&service, false),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }
}
